// Sum of SIMD products: one PE, one step. Four arithmetics, chosen by what is bipolar.
//
// UNIT has simd, weight_bits (1: bipolar, else signed), in_bits (1: bipolar), in_signed, acc_bits, dsp.
#ifndef DSE_DOT_HPP
#define DSE_DOT_HPP

#include <type_traits>

#include "numbers.hpp"

namespace dse {

template <unsigned BITS, typename Chunk>
integer<8> count_ones(const Chunk &chunk) {
#pragma HLS INLINE
#ifndef DSE_SYNTHESIS_TYPES
  return __builtin_popcountll(chunk);
#else
  ap_uint<clog2(BITS + 1)> count = 0;
  for (unsigned i = 0; i < BITS; i++) {
#pragma HLS UNROLL
    count += chunk[i];
  }
  return count;
#endif
}

template <bool DSP, unsigned A, unsigned B>
integer<A + B> multiply(integer<A> a, integer<B> b) {
#pragma HLS INLINE
  if (DSP) {
    integer<A + B> product = a * b;
#pragma HLS BIND_OP variable = product op = mul impl = dsp
    return product;
  }
  integer<A + B> product = a * b;
#pragma HLS BIND_OP variable = product op = mul impl = fabric
  return product;
}

// What a matrix unit with the parameters UNIT adds up.
template <typename UNIT>
struct Arithmetic {
  static constexpr bool bipolar_weight = UNIT::weight_bits == 1;
  static constexpr bool bipolar_input = UNIT::in_bits == 1;
  // bipolar x bipolar: matches are counted, the sum is 2 * matches - weights
  static constexpr bool popcount = bipolar_weight && bipolar_input;
  static_assert(UNIT::acc_bits <= 60, "tables and simulation use 64-bit integers");

  typedef Packed<UNIT::simd, UNIT::weight_bits> Weights;
  typedef Packed<UNIT::simd, UNIT::in_bits> Inputs;
  typedef typename Weights::chunk weight_chunk;
  typedef typename Inputs::chunk input_chunk;
  typedef typename std::conditional<popcount, ap_uint<UNIT::acc_bits>, ap_int<UNIT::acc_bits>>::type
      sum;
  typedef integer<UNIT::acc_bits + 1> partial;
  // An entry of the row table: a threshold or a count, which may be one more than any sum.
  typedef rom_int<UNIT::acc_bits + (popcount ? 2 : 1)> entry;

  typedef const weight_chunk (&WeightsArg)[Weights::chunks];
  typedef const input_chunk (&InputsArg)[Inputs::chunks];

  static partial dot(WeightsArg w, InputsArg x) {
#pragma HLS INLINE
    return dot(w, x, std::integral_constant<bool, popcount>());
  }

 private:
  static partial dot(WeightsArg w, InputsArg x, std::true_type /* popcount */) {
#pragma HLS INLINE
    partial matches = 0;
    for (unsigned c = 0; c < Weights::chunks; c++) {
#pragma HLS UNROLL
      // unused high bits are 0 in both, so the XOR says "differs" nowhere else than in elements
      const weight_chunk differ = w[c] ^ x[c];
      matches += Weights::held(c) - count_ones<Weights::width>(differ);
    }
    return matches;
  }

  static partial dot(WeightsArg w, InputsArg x, std::false_type) {
#pragma HLS INLINE
    constexpr unsigned WB = UNIT::weight_bits, IB = UNIT::in_bits;
    constexpr unsigned A = WB, B = IB + !UNIT::in_signed;
    partial total = 0;
    for (unsigned s = 0; s < UNIT::simd; s++) {
#pragma HLS UNROLL
      const weight_chunk wc = w[s / Weights::per_chunk];
      const input_chunk xc = x[s / Inputs::per_chunk];
      const unsigned we = s % Weights::per_chunk, xe = s % Inputs::per_chunk;
      if (bipolar_weight) {
        const integer<B> value = element<IB, UNIT::in_signed>(xc, xe);
        total += (wc >> we) & 1 ? partial(value) : partial(-value);
      } else if (bipolar_input) {
        const integer<A> value = element<WB, true>(wc, we);
        total += (xc >> xe) & 1 ? partial(value) : partial(-value);
      } else {
        total += multiply<UNIT::dsp, A, B>(element<WB, true>(wc, we),
                                           element<IB, UNIT::in_signed>(xc, xe));
      }
    }
    return total;
  }
};

}  // namespace dse

#endif
