"""How barograph is brought onto machines. Not part of the package that is installed."""
