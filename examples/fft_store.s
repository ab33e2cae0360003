// The way back of fft_load.s: planes [256][batch] in SRAM to rows of complex float32 in DDR, [batch][256].
//
// A block is a tile of 64 rows. Its threads, (64 rows, 64 values), write the words of the rows at a pitch of 1025 words, so
// that neighbouring lanes meet different memory banks; then, as 4096 threads in a line, they copy the rows to a staging
// buffer without gaps, which a DMA sends to DDR while the next block fills the other one.

.param .u32 target_lo    // DDR address
.param .u32 target_hi
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
.var .u16 %one
.var .u16 %left
.var .u16 %x
.var .u16 %n

JMPC %blockIdx, $TILE
LDPARAM.U16 [tbDim.x], %x
LDPARAM.U16 [tbDim.y], %left
LDPARAM.U16 [tid_xyz], %n
CFGXYZ %x, %left, %n
MOVE.U16 1, %one
MOVE.U16 2050, %row
MOVE.U32 131072, %tile
MOVE.U32 8192, %chunk
LDPARAM.U16 [pitch], %pitch
LDPARAM.U32 [plane], %plane
ADD.U16 %pitch, %pitch, %n
MUL.U16.WIDE %n, %x, %forth
SUB.U32 %forth, %plane, %forth
SUB.U32 %forth, %plane, %forth
SUB.U32 %forth, %plane, %forth
LDPARAM.U32 [target_lo], %next_lo
LDPARAM.U32 [target_hi], %next_hi
LDPARAM.U32 [staging0], %here
LDPARAM.U32 [staging1], %there

// Both places of a thread: x and y for the planes, its number 64 y + x for the copy.
$TILE:
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
COPY VA, IC
ADD.U16 VA, IB, VA
##
COPY VA, IB
SHR.U16 IA, 4, VA
##
ADD.U16 VA, IB, VA
##
COPY VA, ID                              // its word in the copy, i + i / 1024
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

// Thread (x, y) makes values y, y + 64, y + 128, y + 192 of row x from row y (...) of the four planes.
$VALUES:
LOADALN %t, %pitch, %n, IA
##
STORE IA, [DVA]
MADD DVA, 2, DVA
##
ADD.U32 %t, %plane, %t
LOADALN %t, %pitch, %n, IA
##
STORE IA, [DVA]
MADD DVA, 2, DVA
##
ADD.U32 %t, %plane, %t
LOADALN %t, %pitch, %n, IA
##
STORE IA, [DVA]
MADD DVA, 2, DVA
##
ADD.U32 %t, %plane, %t
LOADALN %t, %pitch, %n, IA
##
STORE IA, [DVA]
MADD DVA, 506, DVA                       // 64 values of 8 bytes from the first word
##
ADD.U32 %t, %forth, %t
SUB.U16 %left, %one, %left
JMPC %left, $VALUES
DMB_ORI                                  // threads read each other's words from here on
##

LDPARAM.U32 [skewed], %u
MSHIFTADD ID, %u, 1, DVA
MOVE.U32 %here, %t
SHL.U16 %row, 2, %n                      // four rows further
MOVE.U16 16, %left
##
$COPY:
LOAD [DVA], IA
MADD DVA, %n, DVA
##
STORECONT %t, IA
##
ADD.U32 %t, %chunk, %t
SUB.U16 %left, %one, %left
JMPC %left, $COPY

// All of the tile must be stored before it is sent, and the tile before must be out before its buffer is filled again.
DMB_ORI
##
JMPNC %blockIdx, $SEND
POLL.CHN1
##
$SEND:
MOVE.U32 0, %t
STGLB.U32 %here, [dma_ch0_mod1_src_lo]
STGLB.U32 %t, [dma_ch0_mod1_src_hi]
STGLB.U32 %next_lo, [dma_ch0_mod1_dst_lo]
STGLB.U32 %next_hi, [dma_ch0_mod1_dst_hi]
STGLB.U32 %tile, [dma_ch0_mod1_len]
ADD.U32 %next_lo, %tile, %next_lo        // 64-bit sum: a carry if the low half came out below what was added
CMP.U32.LT %next_lo, %tile, %n
CVT.U16.U32 %n, %t
ADD.U32 %next_hi, %t, %next_hi
MOVE.U32 %here, %t
MOVE.U32 %there, %here
MOVE.U32 %t, %there
##
// The launch ends when the last tile is out.
LDPARAM.U16 [grid_dim_x], %n
SUB.U16 %n, %one, %n
SUB.U16 %n, %blockIdx.x, %n
JMPC %n, $END
POLL.CHN1
##
$END:
##
