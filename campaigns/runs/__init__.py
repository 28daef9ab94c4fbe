"""A campaign's way from a draft over approval, planning and its runs to its end."""
