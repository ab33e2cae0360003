// y = W x with 4-bit weights: one step of a language model's decoding. The weights stream from DDR, once.
//
// W[n][k] = q scale + zero with one scale and one zero for 32 values of k. In DDR the weights are cut in panels of the
// block's width (up to 8160 outputs) and each panel is [K/32] groups of 10 rows of words: zero (bf16), 8 rows of four
// nibbles (k%4 = 0 in the lowest), scale (bf16), in the order in which they are read. A tile is some whole groups, so one
// one-dimensional DMA brings it, and tiles follow each other without gaps from the first panel to the last.
//
// The block is one panel: lane = output, the loop runs over k. Two tile buffers in SRAM: while one is computed the DMA
// fills the other, also across blocks, since blocks run in order and scalar registers survive from one to the next.
// 32 values of k take 72 columns, so a full ring of 1024 lanes uses up 455 weights per cycle; DDR delivers about 83.
//
// A nibble becomes a bf16 number by its bits alone: 0x4300 | q is 128 + q, and one 32-bit OR converts two of them. The
// surplus 128 sum(x) is taken away beforehand: each group's sum starts from -128 S, S = sum of the group's x. The zeros
// need S as well. So the activations are records of 34 words per group, S (float32, low word first) and the 32 values of x
// (bf16), walked by DVA; all lanes read the same word. decode_sums.s fills in S.

.param .u32 weights_lo   // DDR address of the first tile
.param .u32 weights_hi
.param .u32 buffer0      // two tile buffers in SRAM
.param .u32 buffer1
.param .u32 x            // records of the activations in SRAM
.param .u32 y_lo         // result in SRAM: low and high halves of float32
.param .u32 y_hi
.param .u32 tile_bytes
.param .u32 row_bytes    // 2 x outputs of a panel
.param .u32 groups       // groups in a tile
.param .u32 tiles        // tiles in a panel

.var .u32 %next_lo       // DDR address of the next tile to fetch
.var .u32 %next_hi
.var .u32 %here          // buffer that is computed
.var .u32 %there         // buffer that the DMA fills
.var .u32 %w             // next row of the tile
.var .u32 %tile
.var .u32 %row
.var .u32 %magic         // 128 in both halves, bf16
.var .u32 %minus128      // float32
.var .u32 %t
.var .u16 %one
.var .u16 %groups
.var .u16 %g
.var .u16 %words
.var .u16 %tiles
.var .u16 %fetches       // tiles not yet asked for, in the whole launch

JMPC %blockIdx, $PANEL
LDPARAM.U16 [tbDim.x], %groups
LDPARAM.U16 [tbDim.y], %g
LDPARAM.U16 [tid_xyz], %words
CFGXYZ %groups, %g, %words
MOVE.U16 1, %one
MOVE.U32 0x43004300, %magic
MOVE.U32 0xC3000000, %minus128
LDPARAM.U16 [groups], %groups
LDPARAM.U32 [row_bytes], %row
LDPARAM.U32 [tile_bytes], %tile
LDPARAM.U32 [weights_lo], %next_lo
LDPARAM.U32 [weights_hi], %next_hi
LDPARAM.U32 [buffer0], %there
LDPARAM.U32 [buffer1], %here
LDPARAM.U16 [tiles], %tiles
LDPARAM.U16 [grid_dim_x], %fetches
MUL.U16 %fetches, %tiles, %fetches
SUB.U16 %fetches, %one, %fetches
// Ask for the first tile.
MOVE.U32 0, %t
STGLB.U32 %next_lo, [dma_ch0_mod1_src_lo]
STGLB.U32 %next_hi, [dma_ch0_mod1_src_hi]
STGLB.U32 %there, [dma_ch0_mod1_dst_lo]
STGLB.U32 %t, [dma_ch0_mod1_dst_hi]
STGLB.U32 %tile, [dma_ch0_mod1_len]
##

$PANEL:
LDPARAM.U32 [x], %t
LDPARAM.U16 [tiles], %tiles
MMOV %t, DVA
MOVE.U32 0, VAB
##
COPY VAB, IAB
COPY VAB, ICD
COPYEXT VAB, IEF
COPYEXT VAB, IGH
##

// Here VAB is y so far and the next tile is on its way into %there.
$TILE:
DMB_ORI                                  // the next DMA overwrites %here: let its last readers finish
##
POLL.CHN1
##
MOVE.U32 %here, %t
MOVE.U32 %there, %here
MOVE.U32 %t, %there
MOVE.U32 %here, %w
MOVE.U16 %groups, %g
JMPNC %fetches, $GROUP
SUB.U16 %fetches, %one, %fetches
ADD.U32 %next_lo, %tile, %next_lo        // 64-bit sum: a carry if the low half came out below what was added
CMP.U32.LT %next_lo, %tile, %words
CVT.U16.U32 %words, %t
ADD.U32 %next_hi, %t, %next_hi
MOVE.U32 0, %t
STGLB.U32 %next_lo, [dma_ch0_mod1_src_lo]
STGLB.U32 %next_hi, [dma_ch0_mod1_src_hi]
STGLB.U32 %there, [dma_ch0_mod1_dst_lo]
STGLB.U32 %t, [dma_ch0_mod1_dst_hi]
STGLB.U32 %tile, [dma_ch0_mod1_len]
##

// One group: y += zero S, then the sum of q x in IGH, then y += scale IGH. y lives in IEF and crosses the loop in VAB.
$GROUP:
COPYEXT VAB, IEF
LOAD [DVA], IA
MADD DVA, 2, DVA
##
LOAD [DVA], IB
MADD DVA, 2, DVA
LOADCONT %w, MB
CVT.F16.F32 MB, VAB
##
ADD.U32 %w, %row, %w
MUL.F32 VAB, IAB, VAB
##
ADD.F32 VAB, IEF, VAB
##
COPYEXT VAB, IEF
MUL.F32 IAB, %minus128, VAB
##

// Four values of k: unpack two nibbles, make them 128 + q, multiply and add; the same for the other two. The odd ones wait
// in ID, the sum moves from VAB back to IGH while the PE unpacks, and the fourth product is left to the next word.
COPYEXT VAB, IGH
LOADCONT %w, MB
COPY MB, IC
UNPACK.U4.LOW MB, VAB
##
ADD.U32 %w, %row, %w
MOVE.U16 7, %words
OR.U32 VAB, %magic, VAB
##
COPY VB, ID
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA VA, MA, IGH, VAB
##
COPYEXT VAB, IGH
UNPACK.U4.HIGH IC, VAB
##
COPY VAB, IAB
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA ID, MA, IGH, VAB
##
COPYEXT VAB, IGH
OR.U32 IAB, %magic, VAB
##
COPY VB, ID
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA VA, MA, IGH, VAB
##

$WORD:
COPYEXT VAB, IGH
LOADCONT %w, MB
COPY MB, IC
UNPACK.U4.LOW MB, VAB
##
COPY VAB, IAB
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA ID, MA, IGH, VAB                    // the fourth value of the word before
##
COPYEXT VAB, IGH
OR.U32 IAB, %magic, VAB
##
COPY VB, ID
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA VA, MA, IGH, VAB
##
COPYEXT VAB, IGH
UNPACK.U4.HIGH IC, VAB
##
COPY VAB, IAB
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA ID, MA, IGH, VAB
##
COPYEXT VAB, IGH
OR.U32 IAB, %magic, VAB
##
COPY VB, ID
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA VA, MA, IGH, VAB
##
ADD.U32 %w, %row, %w
SUB.U16 %words, %one, %words
JMPC %words, $WORD

COPYEXT VAB, IGH
LOADCONT %w, MB
CVT.F16.F32 MB, VAB
##
COPY VAB, IAB
LOAD [DVA], MA
MADD DVA, 2, DVA
HFMA ID, MA, IGH, VAB
##
MUL.F32 VAB, IAB, VAB
##
ADD.F32 VAB, IEF, VAB
##
ADD.U32 %w, %row, %w
SUB.U16 %g, %one, %g
JMPC %g, $GROUP
SUB.U16 %tiles, %one, %tiles
JMPC %tiles, $TILE

CVT.U16.U32 %blockIdx.x, %w
MUL.U32 %w, %row, %w
LDPARAM.U32 [y_lo], %t
ADD.U32 %t, %w, %t
STORECONT %t, VA
##
LDPARAM.U32 [y_hi], %t
ADD.U32 %t, %w, %t
STORECONT %t, VB
##
