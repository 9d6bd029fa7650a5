"""What a file was made from: equal contents are equal, whatever dates them, and others are not."""

import time
import zipfile

import numpy as np
import pytest

from kit.provenance import digest, file_digest, made_from, note, note_of
from kit.silence import quiet, tensorflow


def test_two_people_compare_their_boards_by_eight_letters():
    """The SHA-256 of the bytes in order, as `sha256sum` gives it: of any number of rows, however
    they lie in memory."""
    scores = np.arange(-10, 10, dtype=np.int8).reshape(2, 10)
    assert digest(scores) == digest(np.asfortranarray(scores)) == "ae75d5b4"
    assert digest(scores[::-1]) != digest(scores)


def keras_file(path, weights=b"weights", saved=b"today"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", saved)
        archive.writestr("model.weights.h5", weights)
    return path


def test_a_keras_file_counts_by_what_is_in_it(tmp_path):
    """Saving the same network a day later is no other network; another weight is."""
    today = file_digest(keras_file(tmp_path / "a.keras"))
    assert file_digest(keras_file(tmp_path / "a.keras", saved=b"tomorrow")) == today
    assert file_digest(keras_file(tmp_path / "a.keras", b"others")) != today
    (tmp_path / "a.keras").write_bytes(b"no zip")
    assert file_digest(tmp_path / "a.keras") not in (today, file_digest(tmp_path / "nothing"))


def test_a_folder_counts_by_its_files_and_their_names(tmp_path):
    """What an editor or a file manager hides in it does not count."""
    folder = tmp_path / "network"
    (folder / "nn").mkdir(parents=True)
    (folder / "nn" / "a.c").write_text("int a;")
    first = file_digest(folder)
    (folder / ".DS_Store").write_text("x")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "a.c").write_text("int b;")
    assert file_digest(folder) == first
    (folder / "nn" / "a.c").rename(folder / "a.c")
    assert file_digest(folder) != first


def test_a_note_says_what_a_file_was_made_from(tmp_path):
    """By name; a digest that is known is not worked out from what lies there by now."""
    flour, water, bread = (tmp_path / name for name in ("flour", "water", "bread"))
    for file in (flour, water, bread):
        file.write_text(file.name)
    note(bread, flour, water, known={"water": "as it was"})
    assert made_from(bread) == {"flour": file_digest(flour), "water": "as it was"}


@pytest.mark.parametrize("content", ["", "[]", '{"made": 1}', '{"from": {"flour": "1"}}'])
def test_a_file_that_was_replaced_or_whose_note_is_damaged_is_of_unknown_origin(tmp_path, content):
    bread = tmp_path / "bread"
    bread.write_text("white")
    note(bread, tmp_path / "flour")
    bread.write_text("brought along")
    assert made_from(bread) == {}
    note_of(bread).write_text(content)
    assert made_from(bread) == {}


def test_saving_and_converting_the_same_network_again_gives_the_same(tmp_path):
    """Else running a cell twice would make everything behind it stale. The seconds between the
    two savings are in the .keras files."""
    tf = tensorflow()
    network = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(3)])
    made = []
    for name in ("first", "second"):
        with quiet():
            network.save(tmp_path / f"{name}.keras")
            network.save(tmp_path / f"{name}.h5")
            converted = tf.lite.TFLiteConverter.from_keras_model(network).convert()
            tf.keras.models.load_model(tmp_path / "first.keras").save(tmp_path / "again.keras")
        digests = file_digest(tmp_path / f"{name}.keras"), file_digest(tmp_path / "again.keras")
        made.append((*digests, (tmp_path / f"{name}.h5").read_bytes(), converted))
        time.sleep(1.1)
    assert made[0] == made[1]
