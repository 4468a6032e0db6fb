"""The locator: how it is trained, measured and published. The entry point is `bifrons_training.make_locator`."""

import cv2

# Its threads do not survive a fork, and the processes that compose pictures are forks.
cv2.setNumThreads(0)
