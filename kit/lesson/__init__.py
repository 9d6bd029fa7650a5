"""What only the notebooks need: their artifacts, their report, their figures and widgets."""
