// Matrix-vector-threshold unit for balanced block column-row pruning: only kept weights are executed.
//
// Every p x q block of the mh x mw matrix keeps any c columns and one row of each residue class modulo r.
// L = min(PE, r) row lanes work in each of N = PE / L block rows, S = min(SIMD, c) kept columns in each of
// M = SIMD / S block columns. Steps of a vector: block row group, block column group, row step, column step.
//
// Two processes: tiled_sums executes the steps and hands over the N * p sums of a block row group,
// tiled_rows turns them into words of PE elements, so that the pace is the slower of the two.
//
// The choice of columns is the same in each of `positions` equal parts of the columns (kernel positions), and of whole
// aligned runs of `run` columns (blocks of channels): its index is stored once for all of them.
//
// UNIT has mh, mw, vectors, pe, simd, block_rows (p), block_cols (q), kept_rows (r), kept_cols (c), positions, run and
// what dot.hpp and activation.hpp ask for.
#ifndef DSE_TILED_MATRIX_UNIT_HPP
#define DSE_TILED_MATRIX_UNIT_HPP

#include <hls_stream.h>

#include "activation.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
struct Tiles {
  static constexpr unsigned L = smaller(UNIT::pe, UNIT::kept_rows), N = UNIT::pe / L;
  static constexpr unsigned S = smaller(UNIT::simd, UNIT::kept_cols), M = UNIT::simd / S;
  static constexpr unsigned row_groups = UNIT::mh / UNIT::block_rows / N;
  static constexpr unsigned col_groups = UNIT::mw / UNIT::block_cols / M;
  static constexpr unsigned row_steps = UNIT::kept_rows / L;
  static constexpr unsigned col_steps = UNIT::kept_cols / S;
  static constexpr unsigned depth = row_groups * col_groups * row_steps * col_steps;
  static constexpr unsigned in_width = M * UNIT::block_cols;
  // Lanes whose columns are neighbours in a run; column steps in the same runs; indices of a block in a step.
  static constexpr unsigned stride = smaller(S, UNIT::run), sharing = UNIT::run / stride, picks = S / stride;
  static constexpr unsigned pick_steps = col_steps / sharing;
  // Groups of block columns after which the choice repeats.
  static constexpr unsigned part = UNIT::mw / UNIT::block_cols / UNIT::positions;
  static constexpr unsigned period = part / gcd(part, M);
  // Sums of one lane: its rows of a block are l, l + L, l + 2 L, ...
  static constexpr unsigned lane_sums = UNIT::block_rows / L;

  typedef rom_uint<larger(1, clog2(UNIT::block_cols / UNIT::run))> column;
  typedef rom_uint<larger(1, clog2(UNIT::block_rows / UNIT::kept_rows))> choice;

  // The sums of N block rows in row order.
  struct Group {
    typename Arithmetic<UNIT>::sum value[N * UNIT::block_rows];
  };
};

// Pick the columns of block row n of the group from a word of whole block columns; `part` counts the steps in a run.
template <typename UNIT>
void gather(const ap_uint<Tiles<UNIT>::in_width * UNIT::in_bits> &word,
            const typename Tiles<UNIT>::column (&columns)[Tiles<UNIT>::N * Tiles<UNIT>::M * Tiles<UNIT>::picks],
            unsigned n, unsigned part, typename Arithmetic<UNIT>::input_chunk (&x)[Arithmetic<UNIT>::Inputs::chunks]) {
#pragma HLS INLINE
  typedef Tiles<UNIT> T;
  typedef Packed<T::in_width, UNIT::in_bits> Word;
  typedef typename Arithmetic<UNIT>::Inputs Inputs;
  typename Word::chunk chunks[Word::chunks];
#pragma HLS ARRAY_PARTITION variable = chunks complete
  split<T::in_width, UNIT::in_bits>(word, chunks);
  for (unsigned c = 0; c < Inputs::chunks; c++) {
#pragma HLS UNROLL
    typename Inputs::chunk packed = 0;
    for (unsigned e = 0; e < Inputs::held(c); e++) {
#pragma HLS UNROLL
      const unsigned lane = c * Inputs::per_chunk + e;
      const unsigned pick = (n * T::M + lane / T::S) * T::picks + lane % T::S / T::stride;
      const unsigned run = unsigned(columns[pick]) * T::sharing + part;
      const unsigned from = lane / T::S * UNIT::block_cols + run * T::stride + lane % T::stride;
      const typename Inputs::chunk code =
          (chunks[from / Word::per_chunk] >> (from % Word::per_chunk * UNIT::in_bits)) &
          ((1u << UNIT::in_bits) - 1);
      packed |= code << (e * UNIT::in_bits);
    }
    x[c] = packed;
  }
}

template <typename UNIT>
void tiled_sums(
    hls::stream<ap_uint<Tiles<UNIT>::in_width * UNIT::in_bits>> &in,
    hls::stream<typename Tiles<UNIT>::Group> &out, unsigned frames,
    const typename Arithmetic<UNIT>::weight_chunk (&weights)[Tiles<UNIT>::depth][UNIT::pe]
                                                            [Arithmetic<UNIT>::Weights::chunks],
    const typename Tiles<UNIT>::column (&columns)[Tiles<UNIT>::row_groups * Tiles<UNIT>::period *
                                                  Tiles<UNIT>::pick_steps]
                                                 [Tiles<UNIT>::N * Tiles<UNIT>::M * Tiles<UNIT>::picks],
    const typename Tiles<UNIT>::choice (&choices)[Tiles<UNIT>::row_groups * Tiles<UNIT>::col_groups]
                                                 [Tiles<UNIT>::N * UNIT::kept_rows]) {
#pragma HLS INLINE
  typedef Arithmetic<UNIT> Math;
  typedef Tiles<UNIT> T;
  ap_uint<T::in_width * UNIT::in_bits> kept[T::col_groups];
  typename Math::sum sums[UNIT::pe][T::lane_sums];
#pragma HLS ARRAY_PARTITION variable = sums complete dim = 0

  unsigned row_group = 0, col_group = 0, row_step = 0, col_step = 0;
  unsigned step = 0, block = 0, gathering = 0;  // rows of the three tables
  unsigned phase = 0;                           // of the period
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::vectors * T::depth; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      ap_uint<T::in_width * UNIT::in_bits> word;
      if (row_group == 0 && row_step == 0 && col_step == 0) {
        word = in.read();
        kept[col_group] = word;
      } else {
        word = kept[col_group];
      }
      const bool first = col_group == 0 && row_step == 0 && col_step == 0;
      for (unsigned n = 0; n < T::N; n++) {
#pragma HLS UNROLL
        typename Math::input_chunk x[Math::Inputs::chunks];
#pragma HLS ARRAY_PARTITION variable = x complete
        gather<UNIT>(word, columns[gathering + col_step / T::sharing], n, col_step % T::sharing, x);
        for (unsigned l = 0; l < T::L; l++) {
#pragma HLS UNROLL
          const unsigned p = n * T::L + l;
          // row step a computes residue class k = a * L + l; the kept row of the class is k + choice * r
          const unsigned k = row_step * T::L + l;
          const unsigned at =
              unsigned(choices[block][n * UNIT::kept_rows + k]) * T::row_steps + row_step;
          const typename Math::partial dot = Math::dot(weights[step][p], x);
          if (first) {
            for (unsigned a = 0; a < T::lane_sums; a++) {
#pragma HLS UNROLL
              sums[p][a] = 0;
            }
          }
          sums[p][at] += dot;
        }
      }
      step++;
      if (++col_step < T::col_steps) continue;
      col_step = 0;
      if (++row_step < T::row_steps) continue;
      row_step = 0;
      block++;
      gathering += T::pick_steps;
      const bool again = ++phase == T::period;
      if (again) phase = 0;
      if (++col_group < T::col_groups) {
        if (again) gathering -= T::period * T::pick_steps;
        continue;
      }
      col_group = 0;
      typename T::Group group;
      for (unsigned n = 0; n < T::N; n++) {
#pragma HLS UNROLL
        for (unsigned row = 0; row < UNIT::block_rows; row++) {
#pragma HLS UNROLL
          group.value[n * UNIT::block_rows + row] = sums[n * T::L + row % T::L][row / T::L];
        }
      }
      out.write(group);
      if (++row_group == T::row_groups) {
        row_group = 0;
        step = 0;
        block = 0;
        gathering = 0;
      }
    }
  }
}

// Tag under which tiled_rows counts its iterations.
template <typename UNIT>
struct RowsOf {};

template <typename UNIT>
void tiled_rows(hls::stream<typename Tiles<UNIT>::Group> &in,
                hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, unsigned frames,
                const typename Activation<UNIT>::Row (&rows)[UNIT::mh / UNIT::pe][UNIT::pe]) {
#pragma HLS INLINE
  typedef Tiles<UNIT> T;
  typename T::Group group;
#pragma HLS ARRAY_PARTITION variable = group.value complete
  unsigned part = 0, word = 0;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::vectors * T::row_groups * T::lane_sums; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<RowsOf<UNIT>>();
      if (part == 0) group = in.read();
      ap_uint<UNIT::pe * UNIT::word_bits> result;
      for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
        result.range((p + 1) * UNIT::word_bits - 1, p * UNIT::word_bits) =
            Activation<UNIT>::apply(group.value[part * UNIT::pe + p], rows[word][p]);
      }
      out.write(result);
      if (++part == T::lane_sums) part = 0;
      if (++word == UNIT::mh / UNIT::pe) word = 0;
    }
  }
}

}  // namespace dse

#endif
