#include "share.h"

void mandelbrot(int part, int parts, int width, int height, int limit, float left, float top, float step,
                int *iterations) {
    for (int py = part; py < height; py += parts)
        for (int px = 0; px < width; ++px) {
            float cx = left + px * step, cy = top + py * step;
            float x = 0, y = 0;
            int count = 0;
            while (count < limit && x * x + y * y <= 4.0f) {
                float next = x * x - y * y + cx;
                y = 2.0f * x * y + cy;
                x = next;
                ++count;
            }
            iterations[py * width + px] = count;
        }
}
