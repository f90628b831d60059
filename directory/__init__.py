"""The language of the field: snapshots, their schemas, the changes one can ask of a target, and what can go wrong.

Pure: no I/O, and nothing here imports another package of ours.
"""
