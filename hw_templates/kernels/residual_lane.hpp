// The fused end of a residual binary block (FuseBNN): of a sum and the residual stream it makes the new stream
// with two multiplications, two additions and a comparison per value. One word of each per cycle.
//
//   s = ((scale * dot + half) >> shift) + (shortcut << shortcut_shift) + offset
//   v = s >= 0 ? s : (slope * s + half) >> slope_shift, saturated
//
// UNIT has pixels, channels, pe (channels per word), bits (of an element of the output), shortcut_bits, dot_bits,
// constant_bits, shift, slope_shift, shortcut_shift and shifts: then scale and slope are powers of two, written
// as 2 * exponent + (negative ? 1 : 0).
#ifndef DSE_RESIDUAL_LANE_HPP
#define DSE_RESIDUAL_LANE_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
struct Lane {
  static constexpr unsigned product_bits = larger(UNIT::dot_bits + UNIT::constant_bits, UNIT::shift) + 1;
  static constexpr unsigned sum_bits =
      larger(product_bits - UNIT::shift + 1, larger(UNIT::shortcut_bits + UNIT::shortcut_shift, UNIT::bits)) + 2;
  static constexpr unsigned negative_bits = sum_bits + UNIT::constant_bits + 1;
  typedef rom_int<UNIT::constant_bits> constant;
  typedef rom_int<UNIT::bits> offset;

  // value * constant, in WIDTH bits.
  template <unsigned WIDTH, typename Value>
  static ap_int<WIDTH> times(const Value &value, const constant &factor) {
#pragma HLS INLINE
    const ap_int<WIDTH> wide = value;
    if (!UNIT::shifts) return wide * ap_int<UNIT::constant_bits>(factor);
    const ap_int<WIDTH> shifted = wide << unsigned(factor >> 1);
    return (factor & 1) ? ap_int<WIDTH>(-shifted) : shifted;
  }

  static ap_uint<UNIT::bits> apply(const ap_int<UNIT::shortcut_bits> &shortcut,
                                   const ap_int<UNIT::dot_bits> &dot, const constant &scale,
                                   const offset &add, const constant &slope) {
#pragma HLS INLINE
    const ap_int<product_bits> scaled = times<product_bits>(dot, scale) + (ap_int<product_bits>(1) << (UNIT::shift - 1));
    const ap_int<sum_bits> sum = ap_int<sum_bits>(scaled >> UNIT::shift) +
                                 (ap_int<sum_bits>(shortcut) << UNIT::shortcut_shift) +
                                 ap_int<sum_bits>(ap_int<UNIT::bits>(add));
    const ap_int<negative_bits> sloped =
        times<negative_bits>(sum, slope) + (ap_int<negative_bits>(1) << (UNIT::slope_shift - 1));
    const ap_int<negative_bits> value =
        sum < 0 ? ap_int<negative_bits>(sloped >> UNIT::slope_shift) : ap_int<negative_bits>(sum);
    const ap_int<negative_bits> largest = (ap_int<negative_bits>(1) << (UNIT::bits - 1)) - 1;
    if (value > largest) return largest;
    if (value < -largest - 1) return -largest - 1;
    return value;
  }
};

template <typename UNIT>
void residual_lane(hls::stream<ap_uint<UNIT::pe * UNIT::shortcut_bits>> &shortcuts,
                   hls::stream<ap_uint<UNIT::pe * UNIT::dot_bits>> &dots,
                   hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &out, unsigned frames,
                   const typename Lane<UNIT>::constant (&scales)[UNIT::channels / UNIT::pe][UNIT::pe],
                   const typename Lane<UNIT>::offset (&offsets)[UNIT::channels / UNIT::pe][UNIT::pe],
                   const typename Lane<UNIT>::constant (&slopes)[UNIT::channels / UNIT::pe][UNIT::pe]) {
#pragma HLS INLINE
  constexpr unsigned WORDS = UNIT::channels / UNIT::pe;
  unsigned channel = 0;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::pixels * WORDS; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      const ap_uint<UNIT::pe * UNIT::shortcut_bits> u = shortcuts.read();
      const ap_uint<UNIT::pe * UNIT::dot_bits> d = dots.read();
      ap_uint<UNIT::pe * UNIT::bits> word;
      for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
        const ap_uint<UNIT::shortcut_bits> shortcut =
            u.range((p + 1) * UNIT::shortcut_bits - 1, p * UNIT::shortcut_bits);
        const ap_uint<UNIT::dot_bits> dot = d.range((p + 1) * UNIT::dot_bits - 1, p * UNIT::dot_bits);
        word.range((p + 1) * UNIT::bits - 1, p * UNIT::bits) =
            Lane<UNIT>::apply(ap_int<UNIT::shortcut_bits>(shortcut), ap_int<UNIT::dot_bits>(dot),
                              scales[channel][p], offsets[channel][p], slopes[channel][p]);
      }
      out.write(word);
      if (++channel == WORDS) channel = 0;
    }
  }
}

}  // namespace dse

#endif
