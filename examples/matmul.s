// C = A B in bfloat16 with float32 sums: the dot instruction over four output tiles at a time.
//
// A is [K/32][M][32], B is [N/32][K][32], C is [N/32][M][32] (bf16 words). A block has 32 x rows threads: lane x makes
// column x of each of four neighbouring tiles of 32 output columns, y is the row of A. One column of the machine adds 8
// products per lane, so four columns (one per tile) use 8 values of k, and one slab of 32 k is 16 columns.
//
// What limits it: a column is busy for one cycle per warp (up to 255), and the sequencer must fetch the next columns
// meanwhile. So every column of the loop carries a dot, and its words are counted: mask, warp load, dot, copy, PE and one
// scalar add make 6, plus 6 per slab for the row addresses and the loop itself: 102 words for 16 columns.
// That is also why the masks are written by hand here: each sum is consumed by its last reader and replaced by the copy in
// the next column, which needs no TERM word.

.forward manual

.param .u32 a            // SRAM address of A
.param .u32 b            // SRAM address of B
.param .u32 c            // SRAM address of C
.param .u32 slabs        // K / 32
.param .u32 a_skip       // bytes from the last 8 values of k in a slab to the first 8 of the next slab, same row
.param .u32 b_tile       // bytes of one tile of 32 columns of B
.param .u32 c_tile       // bytes of one tile of 32 columns of C
.param .u32 a_batch      // bytes from one matrix of a batch to the next; the batch is blockIdx.z
.param .u32 b_batch
.param .u32 c_batch

.var .u32 %b0            // where each tile's next 512 bytes of B are (8 k x 32 columns)
.var .u32 %b1
.var .u32 %b2
.var .u32 %b3
.var .u32 %c
.var .u32 %tile
.var .u32 %skip
.var .u32 %step
.var .u32 %t
.var .u32 %u
.var .u16 %zero
.var .u16 %eight
.var .u16 %one
.var .u16 %left
.var .u16 %x
.var .u16 %y

// The last row block may be shorter: the launch passes its shape as the shadow dimensions.
LDPARAM.U16 [tbDim.x], %x
LDPARAM.U16 [tbDim.y], %y
LDPARAM.U16 [tid_xyz], %left
MUL.U16.WIDE %blockIdx.y, %y, %u         // first row of the block
MOVE.U16 1, %one
ADD.U16 %blockIdx.y, %one, %zero
LDPARAM.U16 [grid_dim_y], %eight
CMP.U16.EQ %zero, %eight, %zero
JMPNC %zero, $SHAPE
LDPARAM.U16 [dimx_shadow], %x
LDPARAM.U16 [dimy_shadow], %y
LDPARAM.U16 [xyzcfg_shadow], %left
$SHAPE:
CFGXYZ %x, %y, %left

// A: the rows of this block, in its matrix of the batch. A row of a slab is 64 bytes, in A as in C.
CVT.U16.U32 %blockIdx.z, %step
LDPARAM.U32 [a_batch], %t
MUL.U32 %t, %step, %t
LDPARAM.U32 [a], %b0
ADD.U32 %b0, %t, %b0
SHL.U32 %u, 6, %u
ADD.U32 %b0, %u, %b0
LDPARAM.U32 [c_batch], %t
MUL.U32 %t, %step, %t
LDPARAM.U32 [c], %c
ADD.U32 %c, %t, %c
ADD.U32 %c, %u, %c
LDPARAM.U32 [b_batch], %t
MUL.U32 %t, %step, %t
MOVE.U16 64, %y
MOVE.U16 0, %zero
GLANEADDR %b0, %y, %zero, DVA            // every lane points to the 32 values of its row
MOVE.U32 0, VAB
##

// B and C: four tiles to the right for every step of blockIdx.x.
LDPARAM.U32 [b], %b0
ADD.U32 %b0, %t, %b0
CVT.U16.U32 %blockIdx.x, %u
SHL.U32 %u, 2, %u
LDPARAM.U32 [c_tile], %tile
MUL.U32 %tile, %u, %t
ADD.U32 %c, %t, %c
LDPARAM.U32 [b_tile], %step
MUL.U32 %step, %u, %t
ADD.U32 %b0, %t, %b0
ADD.U32 %b0, %step, %b1
ADD.U32 %b1, %step, %b2
ADD.U32 %b2, %step, %b3
LDPARAM.U32 [a_skip], %skip
LDPARAM.U16 [slabs], %left
MOVE.U16 8, %eight
MOVE.U32 512, %step
FORWARD DVA
COPY VAB, IAB
COPY VAB, ICD
COPYEXT VAB, IEF
##

// One slab of 32 k. The sums of tiles 0 to 3 live in IAB, ICD, IEF and IGH; the newest is still in VAB and moves to its
// pair while the next tile is added, so the sum of tile 3 crosses the loop edge in VAB and IGH is not alive there.
$SLAB:
// k = 0 to 7
FORWARD ICD, IEF, DVA
LDWARP %b0, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPYEXT VAB, IGH
ADD.F32 MAB, IAB, VAB
##
ADD.U32 %b0, %step, %b0
FORWARD IEF, IGH, DVA
LDWARP %b1, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPY VAB, IAB
ADD.F32 MAB, ICD, VAB
##
ADD.U32 %b1, %step, %b1
FORWARD IGH, IAB, DVA
LDWARP %b2, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPY VAB, ICD
ADD.F32 MAB, IEF, VAB
##
ADD.U32 %b2, %step, %b2
FORWARD IAB, ICD
LDWARP %b3, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
MADD DVA, 16, DVA                        // the next 8 values of k of the same row
COPYEXT VAB, IEF
ADD.F32 MAB, IGH, VAB
##
// k = 8 to 15
ADD.U32 %b3, %step, %b3
FORWARD ICD, IEF, DVA
LDWARP %b0, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPYEXT VAB, IGH
ADD.F32 MAB, IAB, VAB
##
ADD.U32 %b0, %step, %b0
FORWARD IEF, IGH, DVA
LDWARP %b1, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPY VAB, IAB
ADD.F32 MAB, ICD, VAB
##
ADD.U32 %b1, %step, %b1
FORWARD IGH, IAB, DVA
LDWARP %b2, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPY VAB, ICD
ADD.F32 MAB, IEF, VAB
##
ADD.U32 %b2, %step, %b2
FORWARD IAB, ICD
LDWARP %b3, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
MADD DVA, 16, DVA
COPYEXT VAB, IEF
ADD.F32 MAB, IGH, VAB
##
// k = 16 to 23
ADD.U32 %b3, %step, %b3
FORWARD ICD, IEF, DVA
LDWARP %b0, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPYEXT VAB, IGH
ADD.F32 MAB, IAB, VAB
##
ADD.U32 %b0, %step, %b0
FORWARD IEF, IGH, DVA
LDWARP %b1, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPY VAB, IAB
ADD.F32 MAB, ICD, VAB
##
ADD.U32 %b1, %step, %b1
FORWARD IGH, IAB, DVA
LDWARP %b2, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPY VAB, ICD
ADD.F32 MAB, IEF, VAB
##
ADD.U32 %b2, %step, %b2
FORWARD IAB, ICD
LDWARP %b3, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
MADD DVA, 16, DVA
COPYEXT VAB, IEF
ADD.F32 MAB, IGH, VAB
##
// k = 24 to 31
ADD.U32 %b3, %step, %b3
FORWARD ICD, IEF, DVA
LDWARP %b0, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPYEXT VAB, IGH
ADD.F32 MAB, IAB, VAB
##
ADD.U32 %b0, %step, %b0
FORWARD IEF, IGH, DVA
LDWARP %b1, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPY VAB, IAB
ADD.F32 MAB, ICD, VAB
##
ADD.U32 %b1, %step, %b1
FORWARD IGH, IAB, DVA
LDWARP %b2, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
COPY VAB, ICD
ADD.F32 MAB, IEF, VAB
##
ADD.U32 %b2, %step, %b2
FORWARD IAB, ICD
LDWARP %b3, %zero, %zero, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %eight, MAB
MADD.SCA32 DVA, %skip, DVA               // over the other rows, to this row of the next slab
COPYEXT VAB, IEF
ADD.F32 MAB, IGH, VAB
##
ADD.U32 %b3, %step, %b3
SUB.U16 %left, %one, %left
JMPC %left, $SLAB

// To bf16, nearest even: add 0x7FFF and the bit that becomes the last one, keep the high half. A conversion instruction
// exists, but it truncates. Each tile takes four columns; its store shares the first column of the next tile.
MOVE.U32 1, %step
MOVE.U32 0x7FFF, %t
FORWARD IAB, ICD, IEF
TERM DVA
COPYEXT VAB, IGH
SHR.U32 IAB, 16, VAB
##
FORWARD IAB, ICD, IEF, IGH
AND.U32 VAB, %step, VAB
##
FORWARD IAB, ICD, IEF, IGH
ADD.U32 VAB, %t, VAB
##
FORWARD ICD, IEF, IGH
ADD.U32 VAB, IAB, VAB
##
STORECONT %c, VB
FORWARD ICD, IEF, IGH
SHR.U32 ICD, 16, VAB
##
FORWARD ICD, IEF, IGH
AND.U32 VAB, %step, VAB
##
FORWARD ICD, IEF, IGH
ADD.U32 VAB, %t, VAB
##
FORWARD IEF, IGH
ADD.U32 VAB, ICD, VAB
##
ADD.U32 %c, %tile, %c
STORECONT %c, VB
FORWARD IEF, IGH
SHR.U32 IEF, 16, VAB
##
FORWARD IEF, IGH
AND.U32 VAB, %step, VAB
##
FORWARD IEF, IGH
ADD.U32 VAB, %t, VAB
##
FORWARD IGH
ADD.U32 VAB, IEF, VAB
##
ADD.U32 %c, %tile, %c
STORECONT %c, VB
FORWARD IGH
SHR.U32 IGH, 16, VAB
##
FORWARD IGH
AND.U32 VAB, %step, VAB
##
FORWARD IGH
ADD.U32 VAB, %t, VAB
##
ADD.U32 VAB, IGH, VAB
##
ADD.U32 %c, %tile, %c
STORECONT %c, VB
##
