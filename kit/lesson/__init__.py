"""What only the notebooks need: their artifacts, their report, their figures and widgets.

Nothing is imported here: `python -m kit.lesson.execute` must be able to start without loading this
package's heavier parts first.
"""
