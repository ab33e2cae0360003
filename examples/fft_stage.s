// Stages of 256-point complex float32 FFTs down the columns of [256][batch] planes in SRAM. Lane = one FFT of the batch.
//
// Stockham's order, radix 2: stage s reads rows j and j + 128 (j = 0..127) and writes a + b and (a - b) w to rows
// q + 2 (j - q) and that + 2^s, where q = j mod 2^s, w = exp(-2 pi i (j - q) / 256). Stages read one buffer and write the
// other, even stages a to b; after all eight the result stands in order in a.
//
// blockIdx.x picks a tile of FFTs and blockIdx.y a range of j; blockIdx.z counts stages, so one launch runs as many as its
// grid is deep: blocks go in order, z outermost. A block is launched as (FFTs, butterflies) and reshaped here for its
// stage: y counts inside a run of 2^s butterflies, z counts the runs. w depends on z alone.
//
// Radix 2, because a radix-4 butterfly keeps eight float32 numbers and there are four pairs: it would read its inputs
// twice or spill, which costs the columns that it saves (one access per column is what bounds the 23 columns here).
//
// A float32 is two words, in separate planes: real low, real high, imaginary low, imaginary high. All 16 accesses go
// through the sequential port, w through the gather port. The complex product needs five values and there are four pairs
// besides VAB, so the real part of w is read twice: the table holds real, imaginary, real for every w, 12 bytes.

.param .u32 a            // buffer of the even stages' input: four planes
.param .u32 b            // the other buffer
.param .u32 plane        // bytes from plane to plane
.param .u32 pitch        // words from row to row, below 32768
.param .u32 twiddles     // 128 entries of 12 bytes
.param .u32 first        // number of the first stage of this launch

.var .u32 %a             // next word of row j: input 0
.var .u32 %b             // input 1
.var .u32 %c             // output 0
.var .u32 %d             // output 1
.var .u32 %plane
.var .u32 %in            // words from run to run, in and out
.var .u32 %out
.var .u32 %t
.var .u32 %u
.var .u16 %s             // stage
.var .u16 %one
.var .u16 %x
.var .u16 %y
.var .u16 %z
.var .u16 %n
.var .u16 %pitch
.var .u16 %run           // 2^s

// The first block of a stage waits for the stage before, whose rows it reads and whose input it overwrites.
JMPNC %blockIdx.z, $READY
OR.U16 %blockIdx.x, %blockIdx.y, %n
JMPC %n, $READY
DMB_ORI
##
$READY:

LDPARAM.U16 [tbDim.x], %x
LDPARAM.U16 [tbDim.y], %y
MUL.U16.WIDE %blockIdx.x, %x, %t         // first FFT of the tile
SHL.U32 %t, 1, %t
MUL.U16 %blockIdx.y, %y, %z              // first butterfly
MOVE.U16 1, %one
LDPARAM.U16 [first], %s
ADD.U16 %s, %blockIdx.z, %s
SHL.U16 %one, %s, %run
LDPARAM.U16 [pitch], %pitch
ADD.U16 %pitch, %pitch, %pitch           // in bytes, for the scalar work
LDPARAM.U32 [plane], %plane

// Even stages go from a to b.
LDPARAM.U32 [a], %a
LDPARAM.U32 [b], %c
SHR.U16 %s, 1, %n
SHL.U16 %n, 1, %n
CMP.U16.EQ %n, %s, %n
JMPC %n, $EVEN
LDPARAM.U32 [b], %a
LDPARAM.U32 [a], %c
$EVEN:

// Input 0 starts at row j, input 1 128 rows further.
MUL.U16.WIDE %z, %pitch, %u
ADD.U32 %a, %t, %a
ADD.U32 %a, %u, %a
CVT.U16.U32 %pitch, %b
SHL.U32 %b, 7, %b
ADD.U32 %a, %b, %b
// Output 0 starts at row q + 2 (j - q) = j + (j - q), output 1 2^s rows further. j - q goes into %n.
ADD.U32 %c, %t, %c
ADD.U32 %c, %u, %c
SHR.U16 %z, %s, %n
SHL.U16 %n, %s, %n
MUL.U16.WIDE %n, %pitch, %u
ADD.U32 %c, %u, %c
MUL.U16.WIDE %run, %pitch, %u
ADD.U32 %c, %u, %d
// w is entry j - q of the table, 12 bytes each.
MOVE.U16 12, %z
MUL.U16.WIDE %n, %z, %t
LDPARAM.U32 [twiddles], %u
ADD.U32 %u, %t, %t

// The last tile of FFTs may be narrower.
ADD.U16 %blockIdx.x, %one, %z
LDPARAM.U16 [grid_dim_x], %n
CMP.U16.EQ %z, %n, %z
LDPARAM.U16 [tid_xyz], %n
JMPNC %z, $SHAPE
LDPARAM.U16 [dimx_shadow], %x
LDPARAM.U16 [xyzcfg_shadow], %n
$SHAPE:
// y butterflies of one run, or 2^s of each of several.
SHR.U16 %y, %s, %z
JMPNC %z, $SHAPED
MOVE.U16 %run, %y
$SHAPED:
CFGXYZ %x, %y, %n
MOVE.U16 12, %s
MUL.U16 %run, %s, %s                     // from run to run, the table entry grows by 2^s
MOVE.U16 0, %z
GLANEADDR %t, %z, %s, DVA
##

LDPARAM.U16 [pitch], %pitch              // in words: ALN strides count elements
MUL.U16.WIDE %run, %pitch, %in
ADD.U32 %in, %in, %out
LOADALN.Z32 %a, %pitch, %in, IA          // real parts: a in IAB, b in ICD
##
ADD.U32 %a, %plane, %a
LOADALN.Z32 %a, %pitch, %in, IB
##
LOADALN.Z32 %b, %pitch, %in, IC
##
ADD.U32 %b, %plane, %b
LOADALN.Z32 %b, %pitch, %in, ID
##
ADD.U32 %a, %plane, %a
LOADALN.Z32 %a, %pitch, %in, IE          // imaginary part of a in IEF
ADD.F32 IAB, ICD, VAB
##
ADD.U32 %a, %plane, %a
LOADALN.Z32 %a, %pitch, %in, IF
COPYEXT VAB, IGH                         // real part of a + b
SUB.F32 IAB, ICD, VAB
##
ADD.U32 %b, %plane, %b
LOADALN.Z32 %b, %pitch, %in, IC          // imaginary part of b in ICD
COPY VAB, IAB                            // real part of a - b
##
ADD.U32 %b, %plane, %b
LOADALN.Z32 %b, %pitch, %in, ID
##
STOREALN.Z32 %c, %pitch, %out, IG
ADD.F32 IEF, ICD, VAB
##
ADD.U32 %c, %plane, %c
STOREALN.Z32 %c, %pitch, %out, IH
COPYEXT VAB, IGH                         // imaginary part of a + b
SUB.F32 IEF, ICD, VAB
##
ADD.U32 %c, %plane, %c
STOREALN.Z32 %c, %pitch, %out, IG
COPY VAB, ICD                            // imaginary part of a - b
LOAD [DVA], IE                           // real part of w in IEF
MADD DVA, 2, DVA
##
ADD.U32 %c, %plane, %c
STOREALN.Z32 %c, %pitch, %out, IH
LOAD [DVA], IF
MADD DVA, 2, DVA
##
LOAD [DVA], IG                           // imaginary part of w in IGH
MADD DVA, 2, DVA
MUL.F32 IAB, IEF, VAB
##
LOAD [DVA], IH
MADD DVA, 2, DVA
##
COPYEXT VAB, IEF
MUL.F32 ICD, IGH, VAB
##
SUB.F32 IEF, VAB, VAB                    // real part of (a - b) w
##
COPYEXT VAB, IEF
MUL.F32 IAB, IGH, VAB
##
STOREALN.Z32 %d, %pitch, %out, IE
COPY VAB, IAB
LOAD [DVA], IG                           // real part of w again
MADD DVA, 2, DVA
##
ADD.U32 %d, %plane, %d
STOREALN.Z32 %d, %pitch, %out, IF
LOAD [DVA], IH
##
MUL.F32 ICD, IGH, VAB
##
ADD.F32 IAB, VAB, VAB                    // imaginary part of (a - b) w
##
ADD.U32 %d, %plane, %d
STOREALN.Z32 %d, %pitch, %out, VA
##
ADD.U32 %d, %plane, %d
STOREALN.Z32 %d, %pitch, %out, VB
##
