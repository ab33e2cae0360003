// Accelerations of n bodies (x, y, z, mass); all others come by in tiles of one block. n is a multiple of THREADS.
#define THREADS 256

__kernel void nbody(int n, float softening, __global const float4 *bodies, __global float4 *accelerations) {
    __local float4 tile[THREADS];
    int i = get_group_id(0) * THREADS + get_local_id(0);
    float4 own = bodies[i];
    float ax = 0, ay = 0, az = 0;
    for (int start = 0; start < n; start += THREADS) {
        tile[get_local_id(0)] = bodies[start + get_local_id(0)];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int j = 0; j < THREADS; ++j) {
            float4 other = tile[j];
            float dx = other.x - own.x, dy = other.y - own.y, dz = other.z - own.z;
            float inverse = rsqrt(dx * dx + dy * dy + dz * dz + softening);
            float pull = other.w * inverse * inverse * inverse;
            ax += dx * pull;
            ay += dy * pull;
            az += dz * pull;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    accelerations[i] = (float4)(ax, ay, az, 0);
}
