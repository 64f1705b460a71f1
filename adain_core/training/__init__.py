"""Training: the compact pair, from the full-size networks as teacher, and the full-size decoder by the paper's recipe.

Needs two folders of pictures, contents and styles, the full-size weights (from the Hub, or a folder), and what
requirements-dev.txt installs. The shipped compact model was made by the first two (docs/training-log.md has
their settings, logs and figures):

    python -m adain_core.training distill --photos PHOTOS --paintings ART --teacher WEIGHTS -o runs/distill
    python -m adain_core.training pair    --photos PHOTOS --paintings ART --teacher WEIGHTS -o runs/pair \
        --start runs/distill/weights.safetensors

1. `distill` (distill.py): the compact encoder learns to predict the teacher's features at relu1_1, 2_1, 3_1 and 4_1,
   each through a 1x1 convolution.
2. `pair` (pair.py): encoder and decoder together. The teacher looks at every picture that they make: the paper's
   content and style losses in its features, each divided by what the full-size pair reaches; reconstruction; and the
   distillation goes on, also on stylized pictures and on probes: pictures under optimization in the predicted features,
   which find what the encoder doesn't see. The decoder's gains learn how far AdaIN's statistics must go, faster than
   the rest (--gains); --sharp shows pictures at their own scale more often, as the smallest that are stylized are.

For style swap an inverse network, and then all in half the size, as the package has them:

    python -m adain_core.training inverse --photos PHOTOS --paintings ART --teacher WEIGHTS -o runs/inverse \
        --pair runs/pair/weights.safetensors
    python -m adain_core.training ship runs/pair/weights.safetensors adain_core/pretrained/compact.safetensors

And for the full-size networks, the paper's recipe:

    python -m adain_core.training decoder --photos COCO --paintings WIKIART --teacher WEIGHTS -o runs/decoder

A run's folder holds checkpoint.pt, weights.safetensors (averaged), log.jsonl, losses.png and samples.jpg. The same
command goes on where it was stopped, and sees the same crops as if it hadn't been; on a CPU it ends at the same
numbers. A GPU is used where there is one; there, and on CPUs that have it, convolutions run in bfloat16. On a GPU
--fused lets torch.compile make the networks' kernels, and --size 256 --batch 16 keep it busy. Pictures named in
held_out.txt are never read.
"""
