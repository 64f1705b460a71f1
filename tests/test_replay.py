"""A result is run again from its record, and what differs is told."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from conftest import make_networks, picture
from PIL import Image
from test_cli import call

from adain_core import images, run, weights
from adain_core.runs import record, replay

ONE = "stylize photos/a.png paintings/x.png"
AGAIN = "replay out.png --content photos/a.png --style paintings/x.png"


@pytest.fixture(autouse=True)
def networks(tmp_path, monkeypatch):
    """Tiny networks in place of the compact ones, in a folder with photographs and paintings."""
    for name, seed in (("photos/a.png", 1), ("paintings/x.png", 3), ("paintings/y.png", 4)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(40, 30, seed).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    networks = make_networks()
    networks.name = "compact"
    monkeypatch.setattr(weights, "load", lambda *_given, **_named: networks)
    return networks


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_the_same_settings_give_the_same_picture(monkeypatch, capsys, suffix):
    assert call(f"{ONE} -o out.{suffix} --alpha 0.6 --color histogram", monkeypatch, capsys)[0] == 0
    code, out, err = call(AGAIN.replace("png", suffix, 1), monkeypatch, capsys)
    assert (code, out, err) == (0, f"out.{suffix}: the same, bit for bit.\n", [])


def test_16_bits_and_a_new_copy(monkeypatch, capsys):
    call(f"{ONE} -o out.png --bits 16", monkeypatch, capsys)
    code, out, _ = call(f"{AGAIN} -o again.png --json", monkeypatch, capsys)
    assert (code, json.loads(out)) == (0, {"same": True, "decibels": None, "differs": []})
    assert Path("again.png").read_bytes()[24] == 16  # bits per channel
    code, _, err = call(f"{AGAIN} -o again.png", monkeypatch, capsys)
    assert code == 2 and "again.png already exists" in err[0]


def test_what_differs_is_told(monkeypatch, capsys):
    call(f"{ONE} -o out.png", monkeypatch, capsys)
    with Image.open("out.png") as image:
        own = json.loads(image.text["adain"])
        own["versions"]["torch"], own["networks"] = "2.8.0", {"old.safetensors": "0123456789abcdef0123"}
        image.info["adain"] = json.dumps(own)
        images.save(image, "out.png")
    code, out, _ = call(AGAIN.replace("paintings/x", "paintings/y"), monkeypatch, capsys)
    lines = out.splitlines()
    assert code == 1 and "not the same; the difference is " in lines[0] and lines[0].endswith(" dB (PSNR).")
    assert "The painting 1 is another file than the one that the record tells." in lines
    assert any(each.startswith("The version of torch is ") and each.endswith(" instead of 2.8.0.") for each in lines)
    assert "The file old.safetensors is None instead of 0123456789abcdef." in lines


def test_the_pictures_are_asked_for_by_name_and_hash(monkeypatch, capsys):
    call(f"{ONE} -o out.png", monkeypatch, capsys)
    digest = record.read("out.png")["inputs"]["content"]["sha256"][:12]
    code, _, err = call("replay out.png", monkeypatch, capsys)
    assert code == 2
    assert f"the photograph is a.png (SHA-256 begins with {digest}), the painting 1 is x.png (SHA-256" in err[0]


def test_regions_and_masks_are_given_again(monkeypatch, capsys):
    labels = Image.new("L", (40, 30), 1)
    labels.paste(2, (20, 0, 40, 30))
    labels.save("labels.png")
    where = "--regions labels.png --style-for 2=paintings/y.png"
    assert call(f"{ONE} -o out.png {where} --region-strength 2=0.3", monkeypatch, capsys)[0] == 0
    assert call(f"{AGAIN} {where}", monkeypatch, capsys)[0] == 0
    code, out, _ = call(AGAIN, monkeypatch, capsys)
    assert code == 1 and "The label map was not given." in out and "The style of region 2 was not given." in out


def test_a_run_that_ended_early_is_repeated_to_the_same_step(networks):
    photo, painting = picture(45, 37, 1), picture(40, 33, 2)
    steps = run(photo, [painting], networks=networks, method="gatys", steps=9, interval=0, start="noise", seed=3)
    third = [next(steps) for _ in range(3)][-1]
    steps.close()
    images.save(third.image, Path("out.png"))
    found = replay.replay(Path("out.png"), photo, [painting], networks=networks)
    assert found.same and found.result.iteration == 3 and found.differs == ()


def test_the_difference_in_decibels_is_that_of_the_definition(networks):
    photo, painting = picture(45, 37, 1), picture(40, 33, 2)
    (made,) = run(photo, [painting], networks=networks)
    off = np.asarray(made.image).astype(int)
    off += np.where(off < 128, 3, -3)
    changed = Image.fromarray(off.astype(np.uint8))
    changed.info["adain"] = made.image.info["adain"]
    images.save(changed, Path("out.png"))
    found = replay.replay(Path("out.png"), photo, [painting], networks=networks)
    assert found.decibels == pytest.approx(20 * math.log10(255 / 3))


def test_a_picture_that_was_scaled_is_refused_in_a_sentence(networks):
    photo, painting = picture(45, 37, 1), picture(40, 33, 2)
    (made,) = run(photo, [painting], networks=networks)
    small = made.image.resize((20, 18))
    small.info["adain"] = made.image.info["adain"]
    images.save(small, Path("out.png"))
    with pytest.raises(ValueError, match=r"^out.png was scaled, cropped, or converted after it was made, so it can't"):
        replay.replay(Path("out.png"), photo, [painting], networks=networks)


def test_the_record_stands_beside_the_picture(monkeypatch, capsys):
    code, _, _ = call(f"{ONE} -o out.jpg --record", monkeypatch, capsys)
    assert code == 0 and record.read("out.json") == record.read("out.jpg")
    Path("out.jpg").unlink()
    code, _, err = call(f"{ONE} -o out.jpg --record", monkeypatch, capsys)
    assert code == 1 and err == ["out.json already exists and was kept; --overwrite replaces it."]
    code, _, err = call(f"{ONE} -o - --record", monkeypatch, capsys)
    assert code == 2 and "can't stand beside standard output" in err[0]
