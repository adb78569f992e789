"""From YAML to the frozen types of `meshsim.model`: one small reader for each part of the spec."""
