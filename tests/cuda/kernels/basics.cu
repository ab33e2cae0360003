// Control flow, integers, memory of every kind.
#define KERNEL extern "C" __global__ void

KERNEL saxpy(int n, float a, const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}

KERNEL matmul(const float *a, const float *b, float *c, int n) {
    int row = blockIdx.y * blockDim.y + threadIdx.y, column = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= n || column >= n) return;
    float sum = 0;
    for (int k = 0; k < n; ++k) sum += a[row * n + k] * b[k * n + column];
    c[row * n + column] = sum;
}

KERNEL reduce(const float *x, float *out, int n) {
    __shared__ float part[64];
    int t = threadIdx.x;
    float sum = 0;
    for (int i = t; i < n; i += blockDim.x) sum += x[i];
    part[t] = sum;
    __syncthreads();
    for (int k = blockDim.x / 2; k > 0; k /= 2) {
        if (t < k) part[t] += part[t + k];
        __syncthreads();
    }
    if (t == 0) out[blockIdx.x] = part[0];
}

struct Pair { double weight; int index; };
struct Holder { float *data; Pair pairs[3]; short few; };

KERNEL by_value(Holder h, float *out) {
    int i = threadIdx.x;
    out[i] = h.data[h.pairs[i % 3].index] * (float)h.pairs[i % 3].weight + h.few;
}

// The parameter is changed, so it needs a copy of its own in every thread.
KERNEL by_value_changed(Holder h, int *out) {
    int i = threadIdx.x;
    for (int k = 0; k < 3; ++k) h.pairs[(k + i) % 3].index += i * k;
    out[i] = h.pairs[i % 3].index;
}

KERNEL switches(const int *x, int *y) {
    int i = threadIdx.x;
    switch (x[i]) {
    case 0: y[i] = 10; break;
    case 1: y[i] = 20; // falls through
    case 2: y[i] += 1; break;
    case -7: y[i] = 3 * i; break;
    case 1000000: return;
    default: y[i] = -1;
    }
}

KERNEL collatz(const unsigned *x, unsigned *steps) {
    unsigned v = x[threadIdx.x], n = 0;
    while (v != 1) {
        v = v % 2 ? 3 * v + 1 : v / 2;
        if (++n > 200) break;
    }
    steps[threadIdx.x] = n;
}

KERNEL local_array(const int *x, int *y, int n) {
    int digits[16], i = threadIdx.x;
    for (int k = 0; k < 16; ++k) digits[k] = 0;
    for (int k = 0; k < n; ++k) digits[(x[k] + i) & 15] += k + 1;
    int best = 0;
    for (int k = 1; k < 16; ++k) best = digits[k] > digits[best] ? k : best;
    y[i] = best * 1000 + digits[best];
}

__device__ __noinline__ int twice(int x, int *count) {
    *count += 1;
    return 2 * x;
}
__device__ __noinline__ int quadruple(int x, int *count) { return twice(twice(x, count), count); }

KERNEL calls(int *x) {
    int count = 0, i = threadIdx.x;
    x[i] = quadruple(x[i], &count) * 10 + count;
}

KERNEL integers(const long long *a, const long long *b, long long *out) {
    int i = threadIdx.x;
    long long x = a[i], y = b[i];
    unsigned long long u = (unsigned long long)x, v = (unsigned long long)y;
    long long *o = out + 16 * i;
    o[0] = x + y, o[1] = x * y, o[2] = y ? x / y : 0, o[3] = y ? x % y : 0;
    o[4] = (long long)(v ? u / v : 0), o[5] = (long long)(v ? u % v : 0), o[6] = x >> (y & 63), o[7] = (long long)(u >> (v & 63));
    o[8] = x << (y & 63), o[9] = x < y, o[10] = u < v, o[11] = (int)x, o[12] = (short)x, o[13] = (unsigned char)x;
    o[14] = (long long)(char)x ^ y, o[15] = x == y ? -1 : (long long)__umul64hi(u, v);
}

KERNEL floats_to_integers(const float *x, int *a, unsigned *b, long long *c, unsigned char *d) {
    int i = threadIdx.x;
    a[i] = (int)x[i], b[i] = (unsigned)x[i], c[i] = (long long)x[i], d[i] = (unsigned char)x[i];
}

// LLVM turns the loop into a closed form with 33-bit integers.
KERNEL triangle(const unsigned *n, unsigned *out) {
    unsigned sum = 0;
    for (unsigned k = 0; k < n[threadIdx.x]; ++k) sum += k;
    out[threadIdx.x] = sum;
}

struct Bits { unsigned a : 3, b : 13, c : 16; int d : 5; };

KERNEL bit_fields(Bits *x) {
    Bits v = x[threadIdx.x];
    v.a += 1, v.b ^= v.a, v.c -= v.b, v.d -= 3;
    x[threadIdx.x] = v;
}

struct Large { int words[50]; char tail[7]; };

KERNEL copies_structs(Large *x) {
    Large v = x[threadIdx.x];
    v.words[threadIdx.x] += 5;
    v.tail[6] = 'z';
    x[threadIdx.x + blockDim.x] = v;
}

KERNEL fills(unsigned char *x, int n, int size) {
    memset(x + size * threadIdx.x, (int)threadIdx.x + 1, (size_t)n);
}

KERNEL moves(unsigned char *x, int from, int to, int n) {
    if (threadIdx.x == 0) memmove(x + to, x + from, (size_t)n);
}

KERNEL pointer_table(float **rows, float *out) {
    int i = threadIdx.x;
    out[i] = rows[i][i];
}

// The pointer may be to shared or to device memory: its space is known at run time only.
KERNEL either_space(float *x, int n) {
    __shared__ float near[32];
    int i = threadIdx.x;
    near[i] = i;
    __syncthreads();
    float *p = i < n ? near : x;
    p[i] += 100;
    __syncthreads();
    if (i < n) x[i] = near[i];
}

// A private address is stored, so pointers that are loaded may be to any memory.
struct Node { int value; Node *next; };
KERNEL linked(int *x) {
    Node nodes[4];
    for (int k = 0; k < 4; ++k) nodes[k].value = x[threadIdx.x] + k, nodes[k].next = k < 3 ? &nodes[(k * 2 + 1) % 4] : nullptr;
    int sum = 0, steps = 0;
    for (Node *p = nodes; p != nullptr && steps < 8; p = p->next, ++steps) sum = sum * 3 + p->value;
    x[threadIdx.x] = sum;
}

__constant__ int table[4] = {3, 1, 4, 1};
__constant__ const char *const words[2] = {"one", "three"};
__device__ int counter;
__device__ float scale = 2.5f;
__device__ int grid[2][3] = {{1, 2, 3}, {4, 5, 6}};

KERNEL variables(int *x, float *y) {
    int i = threadIdx.x;
    x[i] = table[i & 3] * 100 + grid[i & 1][i % 3] * 10 + words[i & 1][i % 3];
    y[i] = scale;
    if (i == 0) counter += 7;
    x[i] += i == 0 ? counter : 0;
}

extern __shared__ int dynamic[];
KERNEL dynamic_shared(int *x) {
    __shared__ int fixed[8];
    int i = threadIdx.x;
    dynamic[i] = x[i];
    fixed[i & 7] = i;
    __syncthreads();
    x[i] = dynamic[blockDim.x - 1 - i] + fixed[i & 7] % 8;
}

template <int step, class T, class F> __device__ T fold(const T *x, int n, F f) {
    T total = x[0];
    for (int i = step; i < n; i += step) total = f(total, x[i]);
    return total;
}
KERNEL templates(const int *x, int *y, int n) {
    int limit = y[0];
    y[0] = fold<1>(x, n, [](int a, int b) { return a + b; });
    y[1] = fold<2>(x, n, [=](int a, int b) { return a > b ? a : b > limit ? limit : b; });
    if constexpr (sizeof(long) == 8) y[2] = fold<3>(x, n, [](auto a, auto b) { return a ^ b; });
    auto [p, q] = Pair{2.0, 9};
    y[3] = (int)p * q;
}

KERNEL geometry(unsigned *out) {
    unsigned t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    unsigned b = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    dim3 shape = gridDim;
    uint3 place = threadIdx;
    out[b * threads + t] = ((blockIdx.z * shape.y + blockIdx.y) << 16) + (place.z << 8) + (place.y << 4) + place.x + warpSize;
}

KERNEL __launch_bounds__(64) early_return(int *x, int n) {
    __shared__ int s[64];
    int i = threadIdx.x;
    if (i >= n) return;
    s[i] = x[i];
    __syncthreads();
    x[i] = s[n - 1 - i];
}

KERNEL short_circuit(const int *x, int *y, int n) {
    int i = threadIdx.x;
    y[i] = (i + 1 < n && x[i + 1] > x[i]) || (i > 0 && x[i - 1] > x[i] && x[i] != 5) ? 1 : 0;
}

KERNEL doubles(const double *x, const double *y, double *out) {
    int i = threadIdx.x;
    out[4 * i] = x[i] * y[i] + 1.0, out[4 * i + 1] = x[i] / y[i], out[4 * i + 2] = sqrt(fabs(x[i])), out[4 * i + 3] = (float)x[i];
}

KERNEL spaces(float *x, int *out) {
    __shared__ float near[4];
    float own[4];
    int i = threadIdx.x;
    const float *p = i == 0 ? x : i == 1 ? near : own;
    near[0] = near[i & 3] = 0;
    for (float &each : own) each = 0;
    out[i] = (__isGlobal(p) ? 1 : 0) + (__isShared(p) ? 2 : 0) + (__isLocal(p) ? 4 : 0) + (p[0] == 0 ? 8 : 0);
}

KERNEL volatile_flag(volatile int *flag, int *out) {
    if (threadIdx.x == 0) {
        *flag = 1;
        out[0] = *flag + *flag;
    }
}
