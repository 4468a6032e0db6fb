"""The locator: its training, evaluation and export. The entry point is `bifrons_training.make_locator`."""

import cv2

# OpenCV's threads do not survive a fork, and the processes that compose images are forks.
cv2.setNumThreads(0)
