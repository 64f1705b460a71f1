"""Training of the compact networks, with the full-size ones as teacher, of the paper's decoder, and of generators.

Needs a folder of photographs, a folder of paintings, the full-size weights (from the Hub or a folder), and the packages
in requirements-dev.txt. The shipped compact model was made with the first two stages; docs/training-log.md has the
settings:

    python -m adain_core.training distill --photos PHOTOS --paintings ART --teacher WEIGHTS -o runs/distill
    python -m adain_core.training pair    --photos PHOTOS --paintings ART --teacher WEIGHTS -o runs/pair \
        --start runs/distill/weights.safetensors

1. `distill` (distill.py) trains the compact encoder to predict the teacher's features at relu1_1, relu2_1, relu3_1, and
   relu4_1, each through a 1x1 convolution.
2. `pair` (pair.py) trains the encoder and the decoder jointly. The losses are the paper's content and style losses in
   the teacher's features, relative to those of the full-size pair, and a reconstruction loss. The distillation
   continues on photographs, stylized pictures, and probes: pictures being optimized in the predicted features, which
   expose the encoder's blind spots. The decoder's gains (--gains) learn faster than the rest. --sharp raises the share
   of crops at their original scale.

An inverse network for style swap, and conversion to bfloat16, the format of the shipped files:

    python -m adain_core.training inverse --photos PHOTOS --paintings ART --teacher WEIGHTS -o runs/inverse \
        --pair runs/pair/weights.safetensors
    python -m adain_core.training ship runs/pair/weights.safetensors adain_core/pretrained/compact.safetensors

Generators, networks that paint in styles they were trained for: one for all pictures in a folder, or for one picture
(generators.py). They need photographs and the perceptual network alone:

    python -m adain_core.training conditional --photos PHOTOS --paintings STYLES -o runs/conditional
    python -m adain_core.training johnson --photos PHOTOS --painting PICTURE -o runs/johnson \
        --start runs/conditional/weights.safetensors

The paper's recipe for the full-size decoder:

    python -m adain_core.training decoder --photos COCO --paintings WIKIART --teacher WEIGHTS -o runs/decoder

The folder of a run holds checkpoint.pt, weights.safetensors (averaged), log.jsonl, losses.png, and samples.jpg. Running
the same command again resumes an interrupted run with the same crops; on a CPU the result is identical. A GPU is used
if there is one. Convolutions run in bfloat16 on GPUs and on CPUs that support it. On a GPU, use --fused to compile the
networks, and --size 256 --batch 16 to keep it busy. Pictures listed in held_out.txt are never used.
"""
