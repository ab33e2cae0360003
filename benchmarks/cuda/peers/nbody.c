#include "share.h"

#include <math.h>

typedef struct {
    float x, y, z, w;
} body;

void nbody(int part, int parts, int n, float softening, const body *restrict bodies, body *restrict accelerations) {
    for (int i = BEGIN(n); i < END(n); ++i) {
        body own = bodies[i];
        float ax = 0, ay = 0, az = 0;
        for (int j = 0; j < n; ++j) {
            float dx = bodies[j].x - own.x, dy = bodies[j].y - own.y, dz = bodies[j].z - own.z;
            float inverse = 1.0f / sqrtf(dx * dx + dy * dy + dz * dz + softening);
            float pull = bodies[j].w * inverse * inverse * inverse;
            ax += dx * pull;
            ay += dy * pull;
            az += dz * pull;
        }
        accelerations[i] = (body){ax, ay, az, 0};
    }
}
