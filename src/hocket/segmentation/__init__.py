"""Who of up to three local speakers speaks, and where one speaks alone."""
