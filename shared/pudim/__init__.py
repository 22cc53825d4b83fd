"""The language both ends of Pudim speak: vocabulary, wire format and the command line."""

__version__ = "0.1.0"
