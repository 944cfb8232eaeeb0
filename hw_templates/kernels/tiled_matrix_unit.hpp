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
using TileWeights = typename Arithmetic<UNIT>::weight_chunk[Tiles<UNIT>::depth][UNIT::pe]
                                                           [Arithmetic<UNIT>::Weights::chunks];
template <typename UNIT>
using TileColumns = typename Tiles<UNIT>::column[Tiles<UNIT>::row_groups * Tiles<UNIT>::period *
                                                 Tiles<UNIT>::pick_steps]
                                                [Tiles<UNIT>::N * Tiles<UNIT>::M * Tiles<UNIT>::picks];
template <typename UNIT>
using TileChoices = typename Tiles<UNIT>::choice[Tiles<UNIT>::row_groups * Tiles<UNIT>::col_groups]
                                                [Tiles<UNIT>::N * UNIT::kept_rows];
template <typename UNIT>
using TileRows = typename Activation<UNIT>::Row[UNIT::mh / UNIT::pe][UNIT::pe];

// Where tiled_sums is in its vector.
template <typename UNIT>
struct TiledState {
  ap_uint<Tiles<UNIT>::in_width * UNIT::in_bits> kept[Tiles<UNIT>::col_groups];
  typename Arithmetic<UNIT>::sum sums[UNIT::pe][Tiles<UNIT>::lane_sums];
  unsigned row_group, col_group, row_step, col_step;
  unsigned step, block, gathering;  // rows of the three tables
  unsigned phase;                   // of the period
};

// One step; true where it is the last one of a vector.
template <typename UNIT>
bool tiled_step(TiledState<UNIT> &s, hls::stream<ap_uint<Tiles<UNIT>::in_width * UNIT::in_bits>> &in,
                hls::stream<typename Tiles<UNIT>::Group> &out, const TileWeights<UNIT> &weights,
                const TileColumns<UNIT> &columns, const TileChoices<UNIT> &choices) {
#pragma HLS INLINE
  typedef Arithmetic<UNIT> Math;
  typedef Tiles<UNIT> T;
  ap_uint<T::in_width * UNIT::in_bits> word;
  if (s.row_group == 0 && s.row_step == 0 && s.col_step == 0) {
    word = in.read();
    s.kept[s.col_group] = word;
  } else {
    word = s.kept[s.col_group];
  }
  const bool first = s.col_group == 0 && s.row_step == 0 && s.col_step == 0;
  for (unsigned n = 0; n < T::N; n++) {
#pragma HLS UNROLL
    typename Math::input_chunk x[Math::Inputs::chunks];
#pragma HLS ARRAY_PARTITION variable = x complete
    gather<UNIT>(word, columns[s.gathering + s.col_step / T::sharing], n, s.col_step % T::sharing, x);
    for (unsigned l = 0; l < T::L; l++) {
#pragma HLS UNROLL
      const unsigned p = n * T::L + l;
      // row step a computes residue class k = a * L + l; the kept row of the class is k + choice * r
      const unsigned k = s.row_step * T::L + l;
      const unsigned at =
          unsigned(choices[s.block][n * UNIT::kept_rows + k]) * T::row_steps + s.row_step;
      const typename Math::partial dot = Math::dot(weights[s.step][p], x);
      if (first) {
        for (unsigned a = 0; a < T::lane_sums; a++) {
#pragma HLS UNROLL
          s.sums[p][a] = 0;
        }
      }
      s.sums[p][at] += dot;
    }
  }
  s.step++;
  if (++s.col_step < T::col_steps) return false;
  s.col_step = 0;
  if (++s.row_step < T::row_steps) return false;
  s.row_step = 0;
  s.block++;
  s.gathering += T::pick_steps;
  const bool again = ++s.phase == T::period;
  if (again) s.phase = 0;
  if (++s.col_group < T::col_groups) {
    if (again) s.gathering -= T::period * T::pick_steps;
    return false;
  }
  s.col_group = 0;
  typename T::Group group;
  for (unsigned n = 0; n < T::N; n++) {
#pragma HLS UNROLL
    for (unsigned row = 0; row < UNIT::block_rows; row++) {
#pragma HLS UNROLL
      group.value[n * UNIT::block_rows + row] = s.sums[n * T::L + row % T::L][row / T::L];
    }
  }
  out.write(group);
  if (++s.row_group < T::row_groups) return false;
  s.row_group = 0;
  s.step = 0;
  s.block = 0;
  s.gathering = 0;
  return true;
}

template <typename UNIT>
void tiled_sums(hls::stream<ap_uint<Tiles<UNIT>::in_width * UNIT::in_bits>> &in,
                hls::stream<typename Tiles<UNIT>::Group> &out, unsigned frames,
                const TileWeights<UNIT> &weights, const TileColumns<UNIT> &columns,
                const TileChoices<UNIT> &choices) {
#pragma HLS INLINE
  TiledState<UNIT> s = {};
#pragma HLS ARRAY_PARTITION variable = s.sums complete dim = 0
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::vectors * Tiles<UNIT>::depth; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      tiled_step<UNIT>(s, in, out, weights, columns, choices);
    }
  }
}

// The same for as many vectors as there are tokens (gated_matrix_unit); tokens go on to the rows.
template <typename UNIT>
void gated_tiled_sums(hls::stream<ap_uint<Tiles<UNIT>::in_width * UNIT::in_bits>> &in,
                      hls::stream<ap_uint<1>> &tokens, hls::stream<typename Tiles<UNIT>::Group> &out,
                      hls::stream<ap_uint<1>> &tokens_out, unsigned frames, const TileWeights<UNIT> &weights,
                      const TileColumns<UNIT> &columns, const TileChoices<UNIT> &choices) {
#pragma HLS INLINE
  TiledState<UNIT> s = {};
#pragma HLS ARRAY_PARTITION variable = s.sums complete dim = 0
  bool between = true;  // two vectors
  unsigned frame = 0;
  while (frame < frames) {
#pragma HLS PIPELINE II = 1
    count_trip<UNIT>();
    if (between) {
      const ap_uint<1> token = tokens.read();
      tokens_out.write(token);
      if (token == 0) {
        frame++;
        continue;
      }
    }
    between = tiled_step<UNIT>(s, in, out, weights, columns, choices);
  }
}

// Tag under which tiled_rows counts its iterations.
template <typename UNIT>
struct RowsOf {};

// Where tiled_rows is in its vector.
template <typename UNIT>
struct RowsState {
  typename Tiles<UNIT>::Group group;
  unsigned part, word;
};

// One word; true where it is the last one of a vector.
template <typename UNIT>
bool tiled_word(RowsState<UNIT> &s, hls::stream<typename Tiles<UNIT>::Group> &in,
                hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, const TileRows<UNIT> &rows) {
#pragma HLS INLINE
  if (s.part == 0) s.group = in.read();
  ap_uint<UNIT::pe * UNIT::word_bits> result;
  for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
    result.range((p + 1) * UNIT::word_bits - 1, p * UNIT::word_bits) =
        Activation<UNIT>::apply(s.group.value[s.part * UNIT::pe + p], rows[s.word][p]);
  }
  out.write(result);
  if (++s.part == Tiles<UNIT>::lane_sums) s.part = 0;
  if (++s.word < UNIT::mh / UNIT::pe) return false;
  s.word = 0;
  return true;
}

template <typename UNIT>
void tiled_rows(hls::stream<typename Tiles<UNIT>::Group> &in,
                hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, unsigned frames,
                const TileRows<UNIT> &rows) {
#pragma HLS INLINE
  typedef Tiles<UNIT> T;
  RowsState<UNIT> s = {};
#pragma HLS ARRAY_PARTITION variable = s.group.value complete
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::vectors * T::row_groups * T::lane_sums; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<RowsOf<UNIT>>();
      tiled_word<UNIT>(s, in, out, rows);
    }
  }
}

// The same for as many vectors as there are tokens.
template <typename UNIT>
void gated_tiled_rows(hls::stream<typename Tiles<UNIT>::Group> &in, hls::stream<ap_uint<1>> &tokens,
                      hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, unsigned frames,
                      const TileRows<UNIT> &rows) {
#pragma HLS INLINE
  RowsState<UNIT> s = {};
#pragma HLS ARRAY_PARTITION variable = s.group.value complete
  bool between = true;  // two vectors
  unsigned frame = 0;
  while (frame < frames) {
#pragma HLS PIPELINE II = 1
    count_trip<RowsOf<UNIT>>();
    if (between && tokens.read() == 0) {
      frame++;
      continue;
    }
    between = tiled_word<UNIT>(s, in, out, rows);
  }
}

}  // namespace dse

#endif
