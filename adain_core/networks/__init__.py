"""Networks: VGG encoders and decoders, the compact ones, and the model that joins its parts."""
