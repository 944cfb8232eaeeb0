// Number types and the packing of small integers into words.
//
// Element 0 of a word lies in its low bits. Tables of constants hold chunks of at most 64 bits: a plain
// integer in simulation (nothing is constructed at start-up), an exact ap_uint in synthesis.
// DSE_EXACT_TYPES gives simulation the types of synthesis, which is slow.
#ifndef DSE_NUMBERS_HPP
#define DSE_NUMBERS_HPP

#include <ap_int.h>

#include <type_traits>

namespace dse {

#if defined(__SYNTHESIS__) || defined(DSE_EXACT_TYPES)
#define DSE_SYNTHESIS_TYPES
template <unsigned BITS>
using rom_uint = ap_uint<BITS>;
template <unsigned BITS>
using rom_int = ap_int<BITS>;
template <unsigned BITS>
using integer = ap_int<BITS>;
#else
template <unsigned BITS>
using rom_uint = unsigned long long;
// registers are ap_int in simulation too, so widths are checked
template <unsigned BITS>
using integer = typename std::conditional<(BITS > 32), long long, int>::type;
template <unsigned BITS>
using rom_int = integer<BITS>;
#endif

constexpr unsigned ceil_div(unsigned a, unsigned b) { return (a + b - 1) / b; }
constexpr unsigned larger(unsigned a, unsigned b) { return a > b ? a : b; }
constexpr unsigned smaller(unsigned a, unsigned b) { return a < b ? a : b; }
constexpr unsigned gcd(unsigned a, unsigned b) { return b == 0 ? a : gcd(b, a % b); }
constexpr unsigned clog2(unsigned n) { return n <= 1 ? 0 : 1 + clog2((n + 1) / 2); }

// A vector of N elements of BITS bits as equal chunks: as few as hold whole elements in 64 bits each.
template <unsigned N, unsigned BITS>
struct Packed {
  static constexpr unsigned chunks = ceil_div(N, 64 / BITS);
  static constexpr unsigned per_chunk = ceil_div(N, chunks);
  static constexpr unsigned width = per_chunk * BITS;
  typedef rom_uint<width> chunk;

  // Elements of chunk c; only the last one may hold fewer.
  static constexpr unsigned held(unsigned c) { return smaller(per_chunk, N - c * per_chunk); }
};

// Cut a stream word into chunks.
template <unsigned N, unsigned BITS>
void split(const ap_uint<N * BITS> &word,
           typename Packed<N, BITS>::chunk (&chunks)[Packed<N, BITS>::chunks]) {
#pragma HLS INLINE
  typedef Packed<N, BITS> P;
  if (P::chunks == 1) {
    chunks[0] = word.to_uint64();
    return;
  }
  for (unsigned c = 0; c < P::chunks; c++) {
#pragma HLS UNROLL
    const unsigned low = c * P::width;
    chunks[c] = word.range(smaller(low + P::width, N * BITS) - 1, low).to_uint64();
  }
}

// Element e of a chunk, as a number.
template <unsigned BITS, bool SIGNED, typename Chunk>
integer<BITS + !SIGNED> element(const Chunk &chunk, unsigned e) {
#pragma HLS INLINE
  const integer<BITS + 1> code = (chunk >> (e * BITS)) & ((1u << BITS) - 1);
  const integer<BITS + 1> negative = SIGNED ? code >> (BITS - 1) : integer<BITS + 1>(0);
  return code - (negative << BITS);
}

}  // namespace dse

#endif
