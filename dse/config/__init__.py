"""study.yaml -> StudyConfig; every complaint carries file, line, column and a suggestion."""
