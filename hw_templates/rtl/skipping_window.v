// Sliding window that decides by itself which positions it skips: spatial_mask, a FIFO for its bits, skipping_ring.
//
// Parameters: those of spatial_mask and skipping_ring; MASK_DEPTH: bits that may wait between them.
// out0 has the windows of kept positions, out1 a bit for every tile of positions.
module skipping_window #(
  parameter HEIGHT = 4,
  parameter WIDTH = 4,
  parameter WORDS = 1,
  parameter SIMD = 1,
  parameter ELEMENT = 1,
  parameter IS_SIGNED = 0,
  parameter KERNEL = 3,
  parameter STRIDE = 1,
  parameter PADDING = 1,
  parameter TILE = 1,
  parameter LEAST = 1,
  parameter SUM_BITS = 4,
  parameter REFERENCE = "reference.hex",
  parameter MASK_DEPTH = 16,
  parameter RING_ROWS = 6,
  parameter MEMORY = "block"
) (
  input clk,
  input rst,
  input [SIMD*ELEMENT-1:0] in_data,
  input in_valid,
  output in_ready,
  output [SIMD*ELEMENT-1:0] out0_data,
  output out0_valid,
  input out0_ready,
  output out1_data,
  output out1_valid,
  input out1_ready
);
  wire [SIMD*ELEMENT-1:0] map_data;
  wire map_valid, map_ready;
  wire found_data, found_valid, found_ready, mask_data, mask_valid, mask_ready;

  spatial_mask #(
    .HEIGHT(HEIGHT), .WIDTH(WIDTH), .WORDS(WORDS), .SIMD(SIMD), .ELEMENT(ELEMENT), .IS_SIGNED(IS_SIGNED),
    .KERNEL(KERNEL), .STRIDE(STRIDE), .PADDING(PADDING), .TILE(TILE), .LEAST(LEAST), .SUM_BITS(SUM_BITS),
    .REFERENCE(REFERENCE)
  ) decide (
    .clk(clk), .rst(rst), .in_data(in_data), .in_valid(in_valid), .in_ready(in_ready),
    .out0_data(map_data), .out0_valid(map_valid), .out0_ready(map_ready),
    .out1_data(found_data), .out1_valid(found_valid), .out1_ready(found_ready)
  );
  stream_fifo #(.WIDTH(1), .DEPTH(MASK_DEPTH)) bits (
    .clk(clk), .rst(rst), .in_data(found_data), .in_valid(found_valid), .in_ready(found_ready),
    .out_data(mask_data), .out_valid(mask_valid), .out_ready(mask_ready)
  );
  skipping_ring #(
    .HEIGHT(HEIGHT), .WIDTH(WIDTH), .WORDS(WORDS), .KERNEL(KERNEL), .STRIDE(STRIDE), .PADDING(PADDING),
    .BITS(SIMD * ELEMENT), .TILE(TILE), .RING_ROWS(RING_ROWS), .MEMORY(MEMORY)
  ) ring (
    .clk(clk), .rst(rst), .in_data(map_data), .in_valid(map_valid), .in_ready(map_ready),
    .mask_data(mask_data), .mask_valid(mask_valid), .mask_ready(mask_ready),
    .out0_data(out0_data), .out0_valid(out0_valid), .out0_ready(out0_ready),
    .out1_data(out1_data), .out1_valid(out1_valid), .out1_ready(out1_ready)
  );
endmodule
