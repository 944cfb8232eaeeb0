// Puts the pixels of skipped positions between those that were computed: a word of PE elements per cycle.
//
// in0 has the words of the computed pixels, in1 a bit for every tile of positions (1: computed), read at the first
// position of the tile and kept for its other rows. Skipped pixels are all the same: `constants`.
//
// UNIT has height, width (of this map), channels, pe, bits and tile.
#ifndef DSE_CONSTANT_FILL_HPP
#define DSE_CONSTANT_FILL_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void constant_fill(hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &in0, hls::stream<ap_uint<1>> &in1,
                   hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &out, unsigned frames,
                   const rom_uint<UNIT::bits> (&constants)[UNIT::channels / UNIT::pe][UNIT::pe]) {
#pragma HLS INLINE
  constexpr unsigned WORDS = UNIT::channels / UNIT::pe;
  constexpr unsigned H = UNIT::height, W = UNIT::width, T = UNIT::tile;
  ap_uint<1> decided[(W + T - 1) / T];  // tiles of this row
  unsigned y = 0, x = 0, word = 0;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < H * W * WORDS; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      if (y % T == 0 && x % T == 0 && word == 0) decided[x / T] = in1.read();
      ap_uint<UNIT::pe * UNIT::bits> pixel;
      for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
        pixel.range((p + 1) * UNIT::bits - 1, p * UNIT::bits) = constants[word][p];
      }
      if (decided[x / T] == 1) pixel = in0.read();
      out.write(pixel);
      if (++word < WORDS) continue;
      word = 0;
      if (++x < W) continue;
      x = 0;
      y = y + 1 < H ? y + 1 : 0;
    }
  }
}

}  // namespace dse

#endif
