"""`python -m barograph` is the command line."""

from barograph.faces.cli.main import main

if __name__ == "__main__":
    main()
