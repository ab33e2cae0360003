// Rows of complex float32 in DDR to the planes in SRAM that fft_stage.s works on: [batch][256] to [256][batch], transposed.
//
// A block is one tile of rows. Its DMA was started by the block before, into one of two staging buffers, and it starts the
// next tile's before it scatters its own. Thread (x, y) takes word x of every y-th row: a row is 256 values of four words
// (real low, real high, imaginary low, imaginary high), so word x goes to plane x mod 4, row x / 4, column = number of the row.

.param .u32 source_lo    // DDR address
.param .u32 source_hi
.param .u32 staging0     // SRAM, one tile each
.param .u32 staging1
.param .u32 planes       // SRAM
.param .u32 plane        // bytes from plane to plane
.param .u32 pitch_bytes  // from row to row of a plane, below 65536
.param .u32 tile_bytes
.param .u32 tile_rows
.param .u32 passes       // tile_rows / block rows

.var .u32 %next_lo
.var .u32 %next_hi
.var .u32 %here
.var .u32 %there
.var .u32 %tile
.var .u32 %plane
.var .u32 %t
.var .u32 %u
.var .u32 %chunk         // bytes that one pass of the block moves
.var .u16 %pitch
.var .u16 %step          // bytes from a lane's column to its next
.var .u16 %fetches
.var .u16 %one
.var .u16 %left
.var .u16 %x
.var .u16 %y
.var .u16 %n

JMPC %blockIdx, $TILE
LDPARAM.U16 [tbDim.x], %x
LDPARAM.U16 [tbDim.y], %y
LDPARAM.U16 [tid_xyz], %n
CFGXYZ %x, %y, %n
ADD.U16 %y, %y, %step
CVT.U16.U32 %n, %chunk
SHL.U32 %chunk, 1, %chunk
MOVE.U16 1, %one
LDPARAM.U16 [pitch_bytes], %pitch
LDPARAM.U32 [plane], %plane
LDPARAM.U32 [tile_bytes], %tile
LDPARAM.U32 [source_lo], %next_lo
LDPARAM.U32 [source_hi], %next_hi
LDPARAM.U32 [staging0], %there
LDPARAM.U32 [staging1], %here
LDPARAM.U16 [grid_dim_x], %fetches
SUB.U16 %fetches, %one, %fetches
MOVE.U32 0, %t
STGLB.U32 %next_lo, [dma_ch0_mod1_src_lo]
STGLB.U32 %next_hi, [dma_ch0_mod1_src_hi]
STGLB.U32 %there, [dma_ch0_mod1_dst_lo]
STGLB.U32 %t, [dma_ch0_mod1_dst_hi]
STGLB.U32 %tile, [dma_ch0_mod1_len]
##

$TILE:
POLL.CHN1
##
MOVE.U32 %here, %t
MOVE.U32 %there, %here
MOVE.U32 %t, %there
JMPNC %fetches, $SCATTER
SUB.U16 %fetches, %one, %fetches
ADD.U32 %next_lo, %tile, %next_lo        // 64-bit sum: a carry if the low half came out below what was added
CMP.U32.LT %next_lo, %tile, %n
CVT.U16.U32 %n, %t
ADD.U32 %next_hi, %t, %next_hi
MOVE.U32 0, %t
STGLB.U32 %next_lo, [dma_ch0_mod1_src_lo]
STGLB.U32 %next_hi, [dma_ch0_mod1_src_hi]
STGLB.U32 %there, [dma_ch0_mod1_dst_lo]
STGLB.U32 %t, [dma_ch0_mod1_dst_hi]
STGLB.U32 %tile, [dma_ch0_mod1_len]
##

// DVA = planes + (x mod 4) plane + (x / 4) pitch + 2 (first row of the tile + y)
$SCATTER:
LDPARAM.U32 [tid_base], %t
LDPARAM.U32 [tid_depack], %u
LOADCONT %t, MB
COPYEXT MB, IH
DECTID.X MB, %u, VA
##
COPY VA, IA
AND.U16 VA, 3, VA
##
CVT.U16.U32 VA, VAB
##
MUL.U32 VAB, %plane, VAB
##
COPY VAB, ICD
SHR.U16 IA, 2, VA
##
MUL.U16.WIDE VA, %pitch, VAB
##
ADD.U32 VAB, ICD, VAB
##
COPY VAB, ICD
DECTID.Y IH, %u, VA
##
MUL.U16.WIDE VA, 2, VAB
##
ADD.U32 VAB, ICD, VAB
##
LDPARAM.U16 [tile_rows], %n
MUL.U16.WIDE %blockIdx.x, %n, %t
SHL.U32 %t, 1, %t
LDPARAM.U32 [planes], %u
ADD.U32 %u, %t, %u
MADD.SCA32 VAB, %u, DVA
MOVE.U32 %here, %t
LDPARAM.U16 [passes], %left
##
$PASS:
LOADCONT %t, IA
##
STORE IA, [DVA]
MADD DVA, %step, DVA
##
ADD.U32 %t, %chunk, %t
SUB.U16 %left, %one, %left
JMPC %left, $PASS

// The next block's DMA overwrites this staging buffer.
DMB_ORI
##
