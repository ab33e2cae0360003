/* Textures: a texture object is the address of a descriptor in device memory, read by header code. Filtering follows the
   formulas of the CUDA programming guide, in float32 (real units keep 8 fractional bits of the weights). */
#pragma once
#include "rpp/math.h"
#include "rpp/vector_types.h"

typedef unsigned long long cudaTextureObject_t;
typedef unsigned long long cudaSurfaceObject_t;
enum cudaTextureReadMode { cudaReadModeElementType = 0, cudaReadModeNormalizedFloat = 1 };
enum cudaTextureAddressMode {
    cudaAddressModeWrap = 0, cudaAddressModeClamp = 1, cudaAddressModeMirror = 2, cudaAddressModeBorder = 3
};
enum cudaTextureFilterMode { cudaFilterModePoint = 0, cudaFilterModeLinear = 1 };
enum cudaChannelFormatKind {
    cudaChannelFormatKindSigned = 0, cudaChannelFormatKindUnsigned = 1, cudaChannelFormatKindFloat = 2,
    cudaChannelFormatKindNone = 3
};
struct cudaChannelFormatDesc {
    int x, y, z, w;
    enum cudaChannelFormatKind f;
};
enum { cudaTextureType1D = 1, cudaTextureType2D = 2, cudaTextureType3D = 3, cudaTextureTypeCubemap = 12,
       cudaTextureType1DLayered = 0xF1, cudaTextureType2DLayered = 0xF2 };

struct textureReference {
    int normalized;
    enum cudaTextureFilterMode filterMode;
    enum cudaTextureAddressMode addressMode[3];
    struct cudaChannelFormatDesc channelDesc;
    int sRGB;
    unsigned int maxAnisotropy;
    enum cudaTextureFilterMode mipmapFilterMode;
    float mipmapLevelBias, minMipmapLevelClamp, maxMipmapLevelClamp;
    int disableTrilinearOptimization;
    int reserved[14];
};
template <class T, int dimensions = cudaTextureType1D, enum cudaTextureReadMode mode = cudaReadModeElementType>
struct __device_builtin_texture_type__ texture : public textureReference {
    texture(int norm = 0, enum cudaTextureFilterMode filter = cudaFilterModePoint,
            enum cudaTextureAddressMode address = cudaAddressModeClamp) {
        normalized = norm, filterMode = filter, sRGB = 0;
        addressMode[0] = addressMode[1] = addressMode[2] = address;
    }
};

/* What a texture object points to. `pitch` and `slice` are bytes from row to row and from plane to plane; `kind`, `bits`
   and `channels` describe a texel, all of whose channels have one width. */
struct __rpp_texture {
    const unsigned char *data;
    unsigned long long pitch, slice;
    unsigned int width, height, depth;
    int kind, bits, channels;
    int filter, normalized;
    int address[3];
};

RPP_DEVICE const __rpp_texture &__rpp_texture_of(cudaTextureObject_t object) { return *(const __rpp_texture *)object; }

/* Channel types of texel types; `make` builds a texel from a function of the channel number. */
template <class T> struct __rpp_texel;
#define RPP_TEXEL(name, T) \
    template <> struct __rpp_texel<T> { \
        typedef T channel; \
        template <class F> RPP_DEVICE T make(F f) { return f(0); } \
    }; \
    template <> struct __rpp_texel<name##1> { \
        typedef T channel; \
        template <class F> RPP_DEVICE name##1 make(F f) { return {f(0)}; } \
    }; \
    template <> struct __rpp_texel<name##2> { \
        typedef T channel; \
        template <class F> RPP_DEVICE name##2 make(F f) { return {f(0), f(1)}; } \
    }; \
    template <> struct __rpp_texel<name##4> { \
        typedef T channel; \
        template <class F> RPP_DEVICE name##4 make(F f) { return {f(0), f(1), f(2), f(3)}; } \
    };
RPP_TEXEL(char, signed char) RPP_TEXEL(uchar, unsigned char) RPP_TEXEL(short, short) RPP_TEXEL(ushort, unsigned short)
RPP_TEXEL(int, int) RPP_TEXEL(uint, unsigned int) RPP_TEXEL(float, float)
#undef RPP_TEXEL

/* A channel as it is stored. */
template <class C> RPP_DEVICE C __rpp_stored(const unsigned char *p) { return *(const C *)p; }

/* A channel as a number: normalised to [0, 1] or [-1, 1] for integers of 8 and 16 bits. */
RPP_DEVICE float __rpp_channel_value(const __rpp_texture &t, const unsigned char *p) {
    bool is_signed = t.kind == cudaChannelFormatKindSigned;
    if (t.bits == 8) {
        float value = is_signed ? (float)__rpp_stored<signed char>(p) / 127.0f : (float)*p / 255.0f;
        return value < -1.0f ? -1.0f : value;
    }
    if (t.bits == 16) {
        if (t.kind == cudaChannelFormatKindFloat) return (float)__rpp_stored<_Float16>(p);
        float value = is_signed ? (float)__rpp_stored<short>(p) / 32767.0f
                                : (float)__rpp_stored<unsigned short>(p) / 65535.0f;
        return value < -1.0f ? -1.0f : value;
    }
    return __rpp_stored<float>(p);
}

/* The texel number of coordinate i along an axis of n texels, or -1 for a border. */
RPP_DEVICE int __rpp_texel_place(int i, int n, int mode) {
    if (mode == cudaAddressModeBorder) return i >= 0 && i < n ? i : -1;
    if (mode == cudaAddressModeWrap) {
        int rest = i % n;
        return rest < 0 ? rest + n : rest;
    }
    if (mode == cudaAddressModeMirror) {
        int rest = i % (2 * n);
        rest = rest < 0 ? rest + 2 * n : rest;
        return rest < n ? rest : 2 * n - 1 - rest;
    }
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* Wrap and mirror need normalised coordinates; else they clamp. */
RPP_DEVICE int __rpp_mode(const __rpp_texture &t, int axis) {
    int mode = t.address[axis];
    return !t.normalized && mode != cudaAddressModeBorder ? cudaAddressModeClamp : mode;
}

RPP_DEVICE const unsigned char *__rpp_texel_at(const __rpp_texture &t, int x, int y, int z) {
    int px = __rpp_texel_place(x, (int)t.width, __rpp_mode(t, 0));
    int py = __rpp_texel_place(y, (int)t.height, __rpp_mode(t, 1));
    int pz = __rpp_texel_place(z, (int)t.depth, __rpp_mode(t, 2));
    if (px < 0 || py < 0 || pz < 0) return nullptr;
    return t.data + (unsigned long long)px * (unsigned int)(t.bits / 8 * t.channels) + (unsigned long long)py * t.pitch +
           (unsigned long long)pz * t.slice;
}

/* A coordinate before it is cut to a texel, within the range of an int. */
RPP_DEVICE int __rpp_cell(float x) { return (int)__rpp_floor(x); }

/* The value of channel c at a point, by nearest texel or by weights. */
RPP_DEVICE float __rpp_sample(const __rpp_texture &t, float x, float y, float z, int c) {
    RPP_EXACT
    int offset = t.bits / 8 * c;
    if (t.filter == cudaFilterModePoint) {
        const unsigned char *p = __rpp_texel_at(t, __rpp_cell(x), __rpp_cell(y), __rpp_cell(z));
        return p ? __rpp_channel_value(t, p + offset) : 0.0f;
    }
    float bx = x - 0.5f, by = y - 0.5f, bz = z - 0.5f;
    int ix = __rpp_cell(bx), iy = __rpp_cell(by), iz = __rpp_cell(bz);
    float wx = bx - __rpp_floor(bx), wy = by - __rpp_floor(by), wz = bz - __rpp_floor(bz);
    float sum = 0.0f;
    int planes = t.depth > 1 ? 2 : 1, rows = t.height > 1 ? 2 : 1;
    for (int k = 0; k < planes; ++k) {
        for (int j = 0; j < rows; ++j) {
            for (int i = 0; i < 2; ++i) {
                float weight = (i ? wx : 1.0f - wx) * (rows == 1 ? 1.0f : j ? wy : 1.0f - wy) *
                               (planes == 1 ? 1.0f : k ? wz : 1.0f - wz);
                const unsigned char *p = __rpp_texel_at(t, ix + i, rows == 1 ? 0 : iy + j, planes == 1 ? 0 : iz + k);
                sum += p ? weight * __rpp_channel_value(t, p + offset) : 0.0f;
            }
        }
    }
    return sum;
}

/* Integer texels read as they are cannot be filtered; float results come from __rpp_sample. */
template <class T> RPP_DEVICE T __rpp_fetch(const __rpp_texture &t, float x, float y, float z) {
    typedef typename __rpp_texel<T>::channel C;
    float sx = t.normalized ? x * (float)t.width : x;
    float sy = t.normalized ? y * (float)t.height : y;
    float sz = t.normalized ? z * (float)t.depth : z;
    if constexpr ((C)0.5f != (C)0) {
        return __rpp_texel<T>::make([&](int c) { return __rpp_sample(t, sx, sy, sz, c); });
    } else {
        const unsigned char *p = __rpp_texel_at(t, __rpp_cell(sx), __rpp_cell(sy), __rpp_cell(sz));
        return __rpp_texel<T>::make([&](int c) { return p ? __rpp_stored<C>(p + sizeof(C) * c) : (C)0; });
    }
}

/* An element of linear memory. */
template <class T> RPP_DEVICE T __rpp_element(const __rpp_texture &t, int i) {
    typedef typename __rpp_texel<T>::channel C;
    const unsigned char *p = t.data + (long long)i * (t.bits / 8 * t.channels);
    bool inside = i >= 0 && (unsigned int)i < t.width;
    if constexpr ((C)0.5f != (C)0) {
        return __rpp_texel<T>::make([&](int c) { return inside ? __rpp_channel_value(t, p + t.bits / 8 * c) : 0.0f; });
    } else {
        return __rpp_texel<T>::make([&](int c) { return inside ? __rpp_stored<C>(p + sizeof(C) * c) : (C)0; });
    }
}

template <class T> RPP_DEVICE T tex1Dfetch(cudaTextureObject_t o, int i) { return __rpp_element<T>(__rpp_texture_of(o), i); }
template <class T> RPP_DEVICE T tex1D(cudaTextureObject_t o, float x) { return __rpp_fetch<T>(__rpp_texture_of(o), x, 0, 0); }
template <class T> RPP_DEVICE T tex2D(cudaTextureObject_t o, float x, float y) {
    return __rpp_fetch<T>(__rpp_texture_of(o), x, y, 0);
}
template <class T> RPP_DEVICE T tex3D(cudaTextureObject_t o, float x, float y, float z) {
    return __rpp_fetch<T>(__rpp_texture_of(o), x, y, z);
}
template <class T> RPP_DEVICE void tex1Dfetch(T *v, cudaTextureObject_t o, int i) { *v = tex1Dfetch<T>(o, i); }
template <class T> RPP_DEVICE void tex1D(T *v, cudaTextureObject_t o, float x) { *v = tex1D<T>(o, x); }
template <class T> RPP_DEVICE void tex2D(T *v, cudaTextureObject_t o, float x, float y) { *v = tex2D<T>(o, x, y); }
template <class T> RPP_DEVICE void tex3D(T *v, cudaTextureObject_t o, float x, float y, float z) { *v = tex3D<T>(o, x, y, z); }

/* Texture references: the variable holds a texture object that the host binds. Normalised reads give floats. */
template <class T, enum cudaTextureReadMode mode> struct __rpp_read { typedef T type; };
#define RPP_NORMALISED(T, F) template <> struct __rpp_read<T, cudaReadModeNormalizedFloat> { typedef F type; };
#define RPP_NORMALISED_ALL(name, T) \
    RPP_NORMALISED(T, float) RPP_NORMALISED(name##1, float1) RPP_NORMALISED(name##2, float2) RPP_NORMALISED(name##4, float4)
RPP_NORMALISED_ALL(char, signed char) RPP_NORMALISED_ALL(uchar, unsigned char)
RPP_NORMALISED_ALL(short, short) RPP_NORMALISED_ALL(ushort, unsigned short)
#undef RPP_NORMALISED_ALL
#undef RPP_NORMALISED

#define RPP_REFERENCE template <class T, int d, enum cudaTextureReadMode m> RPP_DEVICE typename __rpp_read<T, m>::type
#define RPP_BOUND(t) (*(const cudaTextureObject_t *)&(t))
RPP_REFERENCE tex1Dfetch(texture<T, d, m> t, int i) { return tex1Dfetch<typename __rpp_read<T, m>::type>(RPP_BOUND(t), i); }
RPP_REFERENCE tex1D(texture<T, d, m> t, float x) { return tex1D<typename __rpp_read<T, m>::type>(RPP_BOUND(t), x); }
RPP_REFERENCE tex2D(texture<T, d, m> t, float x, float y) {
    return tex2D<typename __rpp_read<T, m>::type>(RPP_BOUND(t), x, y);
}
RPP_REFERENCE tex3D(texture<T, d, m> t, float x, float y, float z) {
    return tex3D<typename __rpp_read<T, m>::type>(RPP_BOUND(t), x, y, z);
}
#undef RPP_REFERENCE
