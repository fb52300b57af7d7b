"""`python -m squidmesh` is the same program as `squidmesh`."""

from squidmesh.cli import main

if __name__ == "__main__":
    main()
