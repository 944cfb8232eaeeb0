"""One loader per file: a data set as integers, split into training, validation and test."""
