// Rows of complex float32 in DDR to the planes in SRAM that fft_stage.s works on: [batch][256] to [256][batch], transposed.
//
// A block is a tile of 64 rows. Its DMA was started by the block before, into one of two staging buffers; it starts the next
// tile's before it goes on. A row is 256 values of four words: real low, real high, imaginary low, imaginary high.
//
// Lanes next to each other must become FFTs next to each other, but rows are 1024 words apart, so reading down a column
// would send all lanes of a warp to one memory bank. So the rows are first copied to a pitch of 1025 words.
// Threads are (64 rows, 64 values); in the copy, which goes by consecutive words, they simply are 4096 in a line.

.param .u32 source_lo    // DDR address
.param .u32 source_hi
.param .u32 staging0     // SRAM, one tile each
.param .u32 staging1
.param .u32 skewed       // SRAM, 64 rows of 1025 words
.param .u32 planes       // SRAM
.param .u32 plane        // bytes from plane to plane
.param .u32 pitch        // words from row to row of a plane, below 65536

.var .u32 %next_lo
.var .u32 %next_hi
.var .u32 %here
.var .u32 %there
.var .u32 %tile          // bytes of a tile
.var .u32 %t
.var .u32 %u
.var .u32 %plane
.var .u32 %forth         // from plane 3 back to plane 0, 64 rows further
.var .u32 %chunk         // bytes that one pass of the copy moves
.var .u16 %pitch
.var .u16 %row           // bytes of a row at the odd pitch
.var .u16 %fetches
.var .u16 %one
.var .u16 %left
.var .u16 %n

JMPC %blockIdx, $TILE
LDPARAM.U16 [tbDim.x], %fetches
LDPARAM.U16 [tbDim.y], %left
LDPARAM.U16 [tid_xyz], %n
CFGXYZ %fetches, %left, %n
MOVE.U16 1, %one
MOVE.U16 2050, %row
MOVE.U32 131072, %tile
MOVE.U32 8192, %chunk
LDPARAM.U16 [pitch], %pitch
LDPARAM.U32 [plane], %plane
ADD.U16 %pitch, %pitch, %n
MUL.U16.WIDE %n, %fetches, %forth
SUB.U32 %forth, %plane, %forth
SUB.U32 %forth, %plane, %forth
SUB.U32 %forth, %plane, %forth
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
JMPNC %fetches, $SKEW
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

// Thread i = 64 y + x copies words i, i + 4096, ... Word i of four rows goes to word i + i / 1024.
$SKEW:
LDPARAM.U32 [tid_base], %t
LDPARAM.U32 [tid_depack], %u
LOADCONT %t, MB
COPYEXT MB, IH
DECTID.Y MB, %u, VA
##
COPY VA, IA
SHL.U16 VA, 6, VA
##
COPY VA, IB
DECTID.X IH, %u, VA
##
COPY VA, IC                              // x, for later
ADD.U16 VA, IB, VA
##
COPY VA, IB
SHR.U16 IA, 4, VA
##
ADD.U16 VA, IB, VA
##
LDPARAM.U32 [skewed], %u
MSHIFTADD VA, %u, 1, DVA
MOVE.U32 %here, %t
SHL.U16 %row, 2, %n                      // four rows further
MOVE.U16 16, %left
##
$COPY:
LOADCONT %t, IA
##
STORE IA, [DVA]
MADD DVA, %n, DVA
##
ADD.U32 %t, %chunk, %t
SUB.U16 %left, %one, %left
JMPC %left, $COPY
DMB_ORI                                  // threads read each other's words from here on
##

// Thread (x, y) takes values y, y + 64, y + 128, y + 192 of row x: four words each, to row y (...) of the four planes.
LDPARAM.U32 [skewed], %u
MOVE.U16 8, %n
MOVE.U16 0, %left
GLANEADDR %u, %n, %left, DVA
MUL.U16.WIDE IC, %row, VAB
##
LDPARAM.U16 [tbDim.x], %n
MUL.U16.WIDE %blockIdx.x, %n, %t         // the tile's first FFT
SHL.U32 %t, 1, %t
LDPARAM.U32 [planes], %u
ADD.U32 %u, %t, %t
MOVE.U16 0, %n
MOVE.U16 4, %left
MADD DVA, VAB, DVA
##
$VALUES:
LOAD [DVA], IA
MADD DVA, 2, DVA
##
STOREALN %t, %pitch, %n, IA
##
ADD.U32 %t, %plane, %t
LOAD [DVA], IA
MADD DVA, 2, DVA
##
STOREALN %t, %pitch, %n, IA
##
ADD.U32 %t, %plane, %t
LOAD [DVA], IA
MADD DVA, 2, DVA
##
STOREALN %t, %pitch, %n, IA
##
ADD.U32 %t, %plane, %t
LOAD [DVA], IA
MADD DVA, 506, DVA                       // 64 values of 8 bytes from the first word
##
STOREALN %t, %pitch, %n, IA
##
ADD.U32 %t, %forth, %t
SUB.U16 %left, %one, %left
JMPC %left, $VALUES
DMB_ORI                                  // the next block overwrites the skewed rows
##
