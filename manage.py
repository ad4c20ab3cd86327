#!/usr/bin/env python
"""Run one of the project's commands; without arguments it lists them."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command line with the development settings unless the environment names others."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fastchat_site.settings.dev")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
