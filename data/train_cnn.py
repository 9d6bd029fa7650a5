"""Trains the course's convolutional network: `python data/train_cnn.py`, 2 to 3 minutes.

`--seed 2` starts from other weights; what is kept in data/ is the best of five on held-out images.
"""

from training import main, tf, train


def new_network():
    """Two convolutions of 5 x 5, each followed by pooling, and two dense layers."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            tf.keras.Input((28, 28)),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(8, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(20, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def trained(images, labels, epochs, seed):
    """A network that learned these digits."""
    tf.keras.utils.set_random_seed(seed)
    network = new_network()
    train(network, images, labels, epochs, seed, rate=3e-3, degrees=10, stretch=0.1, shift=2)
    return network


if __name__ == "__main__":
    main("digits_cnn", trained, epochs=16, seed=3)
