"""The Python side of geak: records what a candidate would launch, and runs the tasks' oracles. Policy is C."""
