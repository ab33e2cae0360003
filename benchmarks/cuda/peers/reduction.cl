// One sum per block: a loop over the grid, then a tree in shared memory.
#define THREADS 256

__kernel void reduction(int n, __global const float *x, __global float *sums) {
    __local float part[THREADS];
    int t = get_local_id(0);
    float sum = 0;
    for (int i = get_group_id(0) * THREADS + t; i < n; i += get_num_groups(0) * THREADS)
        sum += x[i];
    part[t] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int reach = THREADS / 2; reach > 0; reach /= 2) {
        if (t < reach)
            part[t] += part[t + reach];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (t == 0)
        sums[get_group_id(0)] = part[0];
}
