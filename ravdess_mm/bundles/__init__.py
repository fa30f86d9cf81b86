"""What a trained model is on disk, what loads it, what refuses it; networks that answer by ONNX Runtime."""
