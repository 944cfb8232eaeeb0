// From a finished sum to an output element.
//
// UNIT has out_bits (0: the sum itself is the output), out_signed (codes are two's complement, and of the
// smallest one no threshold is reached), acc_bits, word_bits (bits of an output element).
// A row table holds, per row, either the 2^out_bits - 1 ascending thresholds in the domain of the sums,
// or the one number that is taken from a sum: the bias, negated, and of a count of matches, which is half of
// the plain dot product, the weights of the row less the bias.
#ifndef DSE_ACTIVATION_HPP
#define DSE_ACTIVATION_HPP

#include "dot.hpp"

namespace dse {

template <typename UNIT>
struct Activation {
  typedef Arithmetic<UNIT> Math;
  static constexpr bool raw = UNIT::out_bits == 0;
  static constexpr unsigned entries = raw ? 1 : (1u << UNIT::out_bits) - 1;
  typedef typename Math::entry Row[entries];

  // Return the bits of the output element: a code (1 bit: 0 is -1), or a signed sum.
  static ap_uint<UNIT::word_bits> apply(const typename Math::sum &sum, const Row &row) {
#pragma HLS INLINE
    const integer<UNIT::acc_bits + 2> value = sum;
    if (raw && Math::popcount) return value + value - row[0];
    if (raw) return value - row[0];
    integer<UNIT::word_bits + 2> code = UNIT::out_signed ? -int((entries + 1) / 2) : 0;
    for (unsigned t = 0; t < entries; t++) {
#pragma HLS UNROLL
      code += value >= row[t];
    }
    return code;
  }
};

}  // namespace dse

#endif
