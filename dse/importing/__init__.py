"""Networks from outside: ONNX and QONNX files and torch modules become networks of `dse.ir`, and go back."""
