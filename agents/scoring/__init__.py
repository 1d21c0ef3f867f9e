"""How often the diagnosis is right: cases with known truth, judged and summed up."""
