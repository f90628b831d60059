"""What plans, runs and findings look like on a terminal: lines of text, made to fit its width."""
