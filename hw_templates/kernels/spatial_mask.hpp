// Decides which tiles of output positions of a convolution are computed, and hands on the map it looks at.
//
// Every pixel is compared with a reference: the sum over its elements of |element - reference|, the number of
// bits that differ where elements are bits. A tile is computed (bit 1) where the sum over the span x span pixels
// that its windows cover is least or more; what lies outside the map counts nothing.
//
// A step per cycle: a word of the map, or a pixel below or to the right of it that the last tiles reach into.
// Of every column the last span - 1 pixels are kept, of the row the sums of the last span - 1 columns. A tile is
// decided with the last word of its last pixel.
//
// UNIT has height, width, channels, kernel, stride, padding, simd, bits, is_signed, tile and least.
#ifndef DSE_SPATIAL_MASK_HPP
#define DSE_SPATIAL_MASK_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

// Tiles of positions, and what decides on them.
template <typename UNIT>
struct Grid {
  static constexpr int H = UNIT::height, W = UNIT::width, T = UNIT::tile;
  static constexpr int K = UNIT::kernel, S = UNIT::stride, P = UNIT::padding;
  static constexpr int out_rows = (H + 2 * P - K) / S + 1, out_cols = (W + 2 * P - K) / S + 1;
  static constexpr int rows = (out_rows + T - 1) / T, cols = (out_cols + T - 1) / T;
  static constexpr int span = K + (T - 1) * S, step = T * S;
  static constexpr int end_row = (rows - 1) * step - P + span, end_col = (cols - 1) * step - P + span;
  static constexpr int steps_high = end_row > H ? end_row : H, steps_wide = end_col > W ? end_col : W;
  static constexpr int first = span - 1 - P;  // row and column of the last pixel of the first tile
  static constexpr unsigned words = UNIT::channels / UNIT::simd;
  static constexpr unsigned long long most =
      (unsigned long long)span * span * UNIT::channels * ((1ull << UNIT::bits) - 1);
  typedef ap_uint<clog2(most + 1)> Sum;
};

template <typename UNIT>
typename Grid<UNIT>::Sum deviation(const ap_uint<UNIT::simd * UNIT::bits> &word,
                                   const rom_uint<UNIT::bits> (&reference)[UNIT::simd]) {
#pragma HLS INLINE
  typename Grid<UNIT>::Sum sum = 0;
  for (unsigned e = 0; e < UNIT::simd; e++) {
#pragma HLS UNROLL
    typedef ap_int<UNIT::bits + 1> Wide;
    const ap_uint<UNIT::bits> a = word.range((e + 1) * UNIT::bits - 1, e * UNIT::bits);
    const ap_uint<UNIT::bits> b = reference[e];
    const Wide x = UNIT::is_signed ? Wide(ap_int<UNIT::bits>(a)) : Wide(a);
    const Wide y = UNIT::is_signed ? Wide(ap_int<UNIT::bits>(b)) : Wide(b);
    const ap_int<UNIT::bits + 2> far = x - y;
    sum += far < 0 ? typename Grid<UNIT>::Sum(-far) : typename Grid<UNIT>::Sum(far);
  }
  return sum;
}

template <typename UNIT>
void spatial_mask(hls::stream<ap_uint<UNIT::simd * UNIT::bits>> &in,
                  hls::stream<ap_uint<UNIT::simd * UNIT::bits>> &map, hls::stream<ap_uint<1>> &mask, unsigned frames,
                  const rom_uint<UNIT::bits> (&reference)[Grid<UNIT>::words][UNIT::simd]) {
#pragma HLS INLINE
  typedef Grid<UNIT> G;
  typedef typename G::Sum Sum;
  constexpr int BEFORE = G::span > 1 ? G::span - 1 : 1;
  Sum column[G::steps_wide][BEFORE];  // the last pixels of a column, the latest first
#pragma HLS ARRAY_RESHAPE variable = column complete dim = 2
  Sum row[BEFORE];  // the sums of the last columns, the latest first
#pragma HLS ARRAY_PARTITION variable = row complete
  Sum pixel = 0;
  int y = 0, x = 0, ahead_y = G::first, ahead_x = G::first;  // pixels until the next tile is decided
  unsigned word = 0, frame = 0;
  while (frame < frames) {
#pragma HLS PIPELINE II = 1
    count_trip<UNIT>();
    const bool real = y < G::H && x < G::W;
    if (real) {
      const ap_uint<UNIT::simd * UNIT::bits> data = in.read();
      map.write(data);
      const Sum far = deviation<UNIT>(data, reference[word]);
      pixel = word == 0 ? far : Sum(pixel + far);
      if (++word < G::words) continue;
      word = 0;
    }
    Sum sum = real ? pixel : Sum(0);  // of the column, then of the window
    Sum last = sum;
    for (int i = 0; i < G::span - 1; i++) {
#pragma HLS UNROLL
      const Sum above = i < y ? column[x][i] : Sum(0);
      sum += above;
      column[x][i] = last;
      last = above;
    }
    last = sum;
    for (int i = 0; i < G::span - 1; i++) {
#pragma HLS UNROLL
      const Sum left = i < x ? row[i] : Sum(0);
      sum += left;
      row[i] = last;
      last = left;
    }
    if (ahead_y == 0 && ahead_x == 0) mask.write(sum >= UNIT::least);
    // tiles end where the grid does: nothing is decided behind the last one
    ahead_x = ahead_x == 0 ? G::step - 1 : ahead_x - 1;
    if (x == G::end_col - 1) ahead_x = -1;
    if (++x == G::steps_wide) {
      x = 0;
      ahead_x = G::first;
      ahead_y = ahead_y == 0 ? G::step - 1 : ahead_y - 1;
      if (y == G::end_row - 1) ahead_y = -1;
      if (++y == G::steps_high) {
        y = 0;
        ahead_y = G::first;
        frame++;
      }
    }
  }
}

}  // namespace dse

#endif
