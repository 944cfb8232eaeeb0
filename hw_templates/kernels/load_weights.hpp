// Weights that are loaded: UltraRAM starts empty, so a unit whose weights are there takes them from a stream, in a
// call of no frames, and hands on what is for the units behind it.
//
// A word of the memory, PE * SIMD weights with row 0 column 0 in the low bits, comes in words of 64 bits, low bits
// first; unused high bits of the last one are 0.
//
// UNIT has pe and what dot.hpp asks for.
#ifndef DSE_LOAD_WEIGHTS_HPP
#define DSE_LOAD_WEIGHTS_HPP

#include <ap_axi_sdata.h>
#include <hls_stream.h>

#include "dot.hpp"

namespace dse {

constexpr unsigned LOAD_BITS = 64;
typedef ap_uint<LOAD_BITS> load_word;

// Bits low .. low + COUNT - 1 of a word in parts.
template <unsigned COUNT>
unsigned long long bits_of(const rom_uint<LOAD_BITS> *parts, unsigned low) {
#pragma HLS INLINE
  const unsigned at = low / LOAD_BITS, from = low % LOAD_BITS;
  unsigned long long value = (unsigned long long)(parts[at]) >> from;
  if (from + COUNT > LOAD_BITS) value |= (unsigned long long)(parts[at + 1]) << (LOAD_BITS - from);
  return COUNT < LOAD_BITS ? value & ((1ull << (COUNT % LOAD_BITS)) - 1) : value;
}

template <typename UNIT, unsigned DEPTH>
void load_weights(hls::stream<load_word> &load,
                  typename Arithmetic<UNIT>::weight_chunk (&weights)[DEPTH][UNIT::pe]
                                                                    [Arithmetic<UNIT>::Weights::chunks]) {
#pragma HLS INLINE
  typedef typename Arithmetic<UNIT>::Weights Weights;
  constexpr unsigned LANE = UNIT::simd * UNIT::weight_bits, PARTS = ceil_div(UNIT::pe * LANE, LOAD_BITS);
  constexpr unsigned LAST = Weights::chunks - 1, LAST_BITS = Weights::held(LAST) * UNIT::weight_bits;
  rom_uint<LOAD_BITS> parts[PARTS];
#pragma HLS ARRAY_PARTITION variable = parts complete
  unsigned part = 0, step = 0;
  for (unsigned i = 0; i < DEPTH * PARTS; i++) {
#pragma HLS PIPELINE II = 1
    parts[part] = load.read().to_uint64();
    if (++part < PARTS) continue;
    part = 0;
    for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
      for (unsigned c = 0; c < LAST; c++) {
#pragma HLS UNROLL
        weights[step][p][c] = bits_of<Weights::width>(parts, p * LANE + c * Weights::width);
      }
      weights[step][p][LAST] = bits_of<LAST_BITS>(parts, p * LANE + LAST * Weights::width);
    }
    step++;
  }
}

// Hand on the words for the units behind.
template <unsigned WORDS>
void pass_weights(hls::stream<load_word> &load, hls::stream<load_word> &pass) {
#pragma HLS INLINE
  for (unsigned i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
    pass.write(load.read());
  }
}

// The border of the accelerator: all words of a call of no frames. TLAST is not read.
template <unsigned WORDS>
void read_weights(hls::stream<ap_axiu<LOAD_BITS, 0, 0, 0>> &in, hls::stream<load_word> &out, unsigned frames) {
#pragma HLS INLINE
  if (frames != 0) return;
  for (unsigned i = 0; i < WORDS; i++) {
#pragma HLS PIPELINE II = 1
    out.write(in.read().data);
  }
}

}  // namespace dse

#endif
