package config

import (
	"math"
	"regexp"
	"strings"
	"time"

	sm "lockstep/statemachine"
)

// Database is either a new Aurora Serverless v2, or an existing database by its secret and network.
type Database struct {
	New    *NewDatabase `json:"new"`
	Secret string       `json:"secret"` // ARN
	VPC    *VPC         `json:"vpc"`
	// LockTimeout is how long a schema change may make the application's queries wait; 500ms by
	// default.
	LockTimeout sm.Duration `json:"lockTimeout"`
	// Patience is how long a step retries a schema change that queries block; 2m by default.
	Patience sm.Duration `json:"patience"`
}

// NewDatabase is an Aurora Serverless v2 PostgreSQL that scales to zero.
type NewDatabase struct {
	Name        string  `json:"name"`
	MaxCapacity float64 `json:"maxCapacity"` // ACU
}

// VPC is the network from which the database can be reached. Its subnets must reach AWS too.
type VPC struct {
	ID             string   `json:"id"`
	Subnets        []string `json:"subnets"`
	SecurityGroups []string `json:"securityGroups"`
}

var (
	secretPattern = regexp.MustCompile(
		`^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+$`)
	databasePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

func (c Config) checkDatabase() error {
	d := c.Database
	switch {
	case d == nil:
		return nil
	case d.LockTimeout != 0 && (d.LockTimeout.Std() < 100*time.Millisecond ||
		d.LockTimeout.Std() > 500*time.Millisecond):
		return found("database.lockTimeout", d.LockTimeout,
			"100ms to 500ms, half of Postgres's deadlock_timeout")
	case d.Patience != 0 && (d.Patience.Std() < time.Second || d.Patience.Std() > 10*time.Minute):
		return found("database.patience", d.Patience, "1s to 10m")
	case d.New != nil && (d.Secret != "" || d.VPC != nil):
		return found("database", "new and secret or vpc", "either new, or both secret and vpc")
	case d.New != nil && !databasePattern.MatchString(d.New.Name):
		return found("database.new.name", d.New.Name, "1 to 63 lower-case letters, digits and '_'")
	case d.New != nil && d.New.MaxCapacity != 0 &&
		(d.New.MaxCapacity < 1 || d.New.MaxCapacity > 256 || math.Mod(d.New.MaxCapacity, 0.5) != 0):
		return found("database.new.maxCapacity", d.New.MaxCapacity, "1 to 256 (ACU), in halves")
	case d.New != nil:
		return nil
	case !secretPattern.MatchString(d.Secret):
		return found("database.secret", d.Secret,
			"the ARN of a secret with host, port, dbname, username and password")
	case d.VPC == nil:
		return found("database.vpc", "nothing",
			"id, subnets and securityGroups from which the database can be reached")
	}

	return d.VPC.check()
}

func (v VPC) check() error {
	for _, field := range []struct {
		path, prefix string
		ids          []string
	}{
		{"id", "vpc-", []string{v.ID}},
		{"subnets", "subnet-", v.Subnets},
		{"securityGroups", "sg-", v.SecurityGroups},
	} {
		if len(field.ids) == 0 {
			return found("database.vpc."+field.path, "nothing", "at least one %s...", field.prefix)
		}

		for _, id := range field.ids {
			if !strings.HasPrefix(id, field.prefix) {
				return found("database.vpc."+field.path, id, "an id like %s0123456789abcdef0", field.prefix)
			}
		}
	}

	return nil
}
