"""Groups of one record, or of two: who pays for the smaller model."""
