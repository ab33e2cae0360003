// Texture objects and references.
#define KERNEL extern "C" __global__ void

KERNEL linear(cudaTextureObject_t t, const int *at, float *out) { out[threadIdx.x] = tex1Dfetch<float>(t, at[threadIdx.x]); }

KERNEL plane(cudaTextureObject_t t, const float2 *at, float *out) {
    float2 p = at[threadIdx.x];
    out[threadIdx.x] = tex2D<float>(t, p.x, p.y);
}

KERNEL colours(cudaTextureObject_t t, const float2 *at, uchar4 *out) {
    float2 p = at[threadIdx.x];
    out[threadIdx.x] = tex2D<uchar4>(t, p.x, p.y);
}

texture<float, 2, cudaReadModeElementType> reference;
texture<unsigned char, 1, cudaReadModeNormalizedFloat> normalised;

KERNEL references(float *out) {
    int i = threadIdx.x;
    out[2 * i] = tex2D(reference, i + 0.5f, 1.5f);
    out[2 * i + 1] = tex1Dfetch(normalised, i);
}
