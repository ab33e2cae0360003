// One radix-2 stage of 256-point FFTs down the columns of planes, as examples/fft_stage.s: thread = FFT, block = butterfly.
// A value is four 16-bit words in planes of their own: real low, real high, imaginary low, imaginary high.
typedef unsigned short word;

static __device__ __forceinline__ float joined(const word *low, int plane) {
    return __uint_as_float(low[0] | low[plane] << 16);
}

static __device__ __forceinline__ void split(word *low, int plane, float value) {
    unsigned bits = __float_as_uint(value);
    low[0] = bits;
    low[plane] = bits >> 16;
}

// `run` is 2 to the number of the stage; the table holds real, imaginary, real for each twiddle factor.
extern "C" __global__ void fft_stage(const word *in, word *out, const float *twiddles, int plane, int pitch, int run) {
    int x = threadIdx.x, j = blockIdx.x;
    int top = j & -run;
    const word *a = in + j * pitch + x, *b = a + 128 * pitch;
    float ar = joined(a, plane), ai = joined(a + 2 * plane, plane);
    float br = joined(b, plane), bi = joined(b + 2 * plane, plane);
    float wr = twiddles[3 * top], wi = twiddles[3 * top + 1];
    word *c = out + (j + top) * pitch + x, *d = c + run * pitch;
    split(c, plane, ar + br);
    split(c + 2 * plane, plane, ai + bi);
    float re = ar - br, im = ai - bi;
    split(d, plane, __fsub_rn(__fmul_rn(re, wr), __fmul_rn(im, wi)));
    split(d + 2 * plane, plane, __fadd_rn(__fmul_rn(re, wi), __fmul_rn(im, wr)));
}
