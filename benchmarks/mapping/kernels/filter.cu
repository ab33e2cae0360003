// A 5x5 filter over padded planes, as examples/filter5x5.s: thread i makes the result whose window starts at word i.
#include <cuda_bf16.h>

typedef unsigned short word;

extern "C" __global__ void convert(const word *pixels, __nv_bfloat16 *work) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    work[i] = __float2bfloat16_rn((float)pixels[i]);
}

extern "C" __global__ void filter(const __nv_bfloat16 *work, word *out, const __nv_bfloat16 *taps, int pitch, float scale,
                                  float bias) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    const __nv_bfloat16 *from = work + i;
    float sum = 0;
#pragma unroll
    for (int row = 0; row < 5; row++)
#pragma unroll
        for (int x = 0; x < 5; x++) sum = fmaf(__bfloat162float(from[row * pitch + x]), __bfloat162float(taps[5 * row + x]), sum);
    float value = __fadd_rn(__fmul_rn(sum, scale), bias);
    value = value > 0 ? value : 0;
    value = value < 255 ? value : 255;
    out[i] = __float_as_uint(value + 8388608.0f);
}
