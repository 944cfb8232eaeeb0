// XNOR-popcount unit with 1-bit outputs that stops adding as soon as an output is decided, and does not begin where
// a max-pool behind it has seen a 1 of the row in the same window (hw_templates/kernels/edge_skip_unit.hpp).
//
// MH, MW       matrix
// PE, SIMD     rows and columns per step; NF = MH / PE passes of at most SF = MW / SIMD steps
// LOCKSTEP     1: all PEs are one group, which goes on when all its rows are decided. 0: every PE is a group with
//              its own reading port and bank of weights
// HELD         vectors that wait in the unit
// POOL         kernel of the max-pool, 0: none; POOL_HEIGHT, POOL_WIDTH: the map that the unit gives
// ACC_BITS     of a count of matches
// MEMORY       of the weights, as constant_memory
// WEIGHTS, ROWS  memory files of the groups, less four digits (the group) and .hex: see edge_skip_group
//
// Schedule: a word is taken in every cycle in which one of HELD places is free; it can be in the register of a
// group two cycles later. A group takes a word of a row per cycle, and one cycle for a row that the pool decides.
// A word of PE outputs is there two cycles after its last row was decided (register), in order.
// Handshake: taking, adding and sending stop independently.
module edge_skip_unit #(
  parameter MH = 4,
  parameter MW = 4,
  parameter PE = 1,
  parameter SIMD = 1,
  parameter LOCKSTEP = 0,
  parameter HELD = 4,
  parameter POOL = 0,
  parameter POOL_HEIGHT = 1,
  parameter POOL_WIDTH = 1,
  parameter ACC_BITS = 3,
  parameter MEMORY = "block",
  parameter WEIGHTS = "weights",
  parameter ROWS = "rows"
) (
  input clk,
  input rst,
  input [SIMD-1:0] in_data,
  input in_valid,
  output in_ready,
  output reg [PE-1:0] out_data,
  output reg out_valid,
  input out_ready
);
  localparam NF = MH / PE, SF = MW / SIMD;
  localparam GROUP = LOCKSTEP ? PE : 1, GROUPS = PE / GROUP;
  localparam AT_BITS = $clog2(HELD * SF + 1), SF_BITS = $clog2(SF + 1);
  localparam NF_BITS = $clog2(NF + 1), PLACE_BITS = $clog2(HELD * NF + 1), ROOM_BITS = $clog2(HELD + 2);

  reg [AT_BITS-1:0] take_at;
  reg [SF_BITS-1:0] take_step;
  reg [ROOM_BITS-1:0] room;        // places for vectors; one more where outputs leave before their vector is whole
  reg [PLACE_BITS-1:0] send_at;
  reg [NF_BITS-1:0] send_pass;
  wire [GROUPS-1:0] ready;
  wire [PE-1:0] result;
  assign in_ready = room != 0;
  wire take = in_valid & in_ready, whole = take & (take_step == SF - 1);
  wire send = (&ready) & (~out_valid | out_ready), done = send & (send_pass == NF - 1);

  genvar g;
  generate
    for (g = 0; g < GROUPS; g = g + 1) begin : group
      localparam [7:0] D3 = 48 + g / 1000 % 10, D2 = 48 + g / 100 % 10, D1 = 48 + g / 10 % 10, D0 = 48 + g % 10;
      edge_skip_group #(
        .MH(MH), .MW(MW), .PE(GROUP), .NF(NF), .SIMD(SIMD), .ACC_BITS(ACC_BITS), .HELD(HELD), .POOL(POOL),
        .POOL_HEIGHT(POOL_HEIGHT), .POOL_WIDTH(POOL_WIDTH), .MEMORY(MEMORY),
        .WEIGHTS({WEIGHTS, D3, D2, D1, D0, ".hex"}), .ROWS({ROWS, D3, D2, D1, D0, ".hex"})
      ) lanes (
        .clk(clk), .rst(rst), .take(take), .word(in_data), .take_at(take_at), .take_step(take_step),
        .whole(whole), .send(send), .send_at(send_at), .ready(ready[g]), .result(result[g*GROUP +: GROUP]));
    end
  endgenerate

  always @(posedge clk) begin
    if (send) out_data <= result;
    if (rst) begin
      take_at <= 0;
      take_step <= 0;
      room <= HELD;
      send_at <= 0;
      send_pass <= 0;
      out_valid <= 1'b0;
    end else begin
      if (take) begin
        take_at <= (take_at == HELD * SF - 1) ? 0 : take_at + 1'b1;
        take_step <= whole ? 0 : take_step + 1'b1;
      end
      if (send) begin
        send_at <= (send_at == HELD * NF - 1) ? 0 : send_at + 1'b1;
        send_pass <= done ? 0 : send_pass + 1'b1;
      end
      room <= room + done - whole;
      if (send) out_valid <= 1'b1;
      else if (out_ready) out_valid <= 1'b0;
    end
  end
endmodule
