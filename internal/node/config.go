package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/varve-search/varve/internal/keystore"
	"github.com/varve-search/varve/internal/settings"
)

// DefaultFile is read where no other configuration file is named, if it is there.
const DefaultFile = "varve.yml"

// LoadConfig reads a configuration file with the keys of opensearch.yml, and then key=value overrides. In the file ${NAME} stands
// for an environment variable. An empty file name reads DefaultFile if it is there.
func LoadConfig(file string, overrides []string) (settings.Settings, error) {
	s := settings.Settings{}
	name := file
	if name == "" {
		name = DefaultFile
	}
	b, err := os.ReadFile(name)
	switch {
	case err == nil:
		if s, err = parseYAML(b); err != nil {
			return nil, fmt.Errorf("read the configuration %s: %w", name, err)
		}
	case file != "" || !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if _, set := s["path.conf"]; !set && file != "" {
		s["path.conf"] = filepath.Dir(file)
	}
	for _, o := range overrides {
		key, value, ok := strings.Cut(o, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("the setting %q is not of the form key=value", o)
		}
		s[key] = value
	}
	return s, nil
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}`)

func parseYAML(b []byte) (settings.Settings, error) {
	var missing []string
	text := variable.ReplaceAllStringFunc(string(b), func(m string) string {
		parts := variable.FindStringSubmatch(m)
		v, ok := os.LookupEnv(parts[1])
		if !ok && !strings.Contains(m, ":") {
			missing = append(missing, parts[1])
		}
		if !ok {
			return parts[2]
		}
		return v
	})
	if len(missing) > 0 {
		return nil, fmt.Errorf("the environment variable %s is not set", strings.Join(missing, ", "))
	}
	var m map[string]any
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		return nil, err
	}
	if len(m) == 0 {
		return settings.Settings{}, nil
	}
	return settings.FromMap(m)
}

// dataPath returns the folder that the node's data goes to.
func dataPath(s settings.Settings) (string, error) {
	p, err := filepath.Abs(s.GetOr("path.data", "data"))
	if err != nil {
		return "", fmt.Errorf("path.data: %w", err)
	}
	return p, nil
}

// KeystorePath returns where the node's key store is: the setting keystore.path, or beside the configuration file.
func KeystorePath(s settings.Settings) string {
	return s.GetOr("keystore.path", filepath.Join(s.GetOr("path.conf", "."), keystore.FileName))
}

// loadSecrets opens the node's key store with the password of the environment.
func loadSecrets(s settings.Settings) (*keystore.Secrets, error) {
	password, given, err := keystore.EnvPassword()
	if err != nil {
		return nil, err
	}
	secrets, err := keystore.Load(KeystorePath(s), password)
	if !given {
		err = keystore.WithoutPassword(err)
	}
	return secrets, err
}
